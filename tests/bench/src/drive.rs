//! The load: many streams, each repeating its operation at once, and the times that were measured.

use std::time::{Duration, Instant};

use crate::{
    outcome::{Sample, micros},
    trouble::Trouble,
};

/// The operation that a stream repeats.
pub(crate) trait Operation: Send + 'static {
    /// Runs it once; any unexpected response is an error.
    fn once(&mut self) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// The result of a load.
pub(crate) struct Driven {
    pub(crate) sample: Sample,
    /// The number of operations, including the warm-up.
    pub(crate) operations: u64,
}

/// Runs each operation as its own stream: a fifth of `measured` to warm up, then `measured`.
pub(crate) async fn drive<O: Operation>(
    operations: Vec<O>,
    measured: Duration,
) -> Result<Driven, Trouble> {
    let from = Instant::now() + measured / 5;
    let end = from + measured;
    let streams: Vec<_> = operations
        .into_iter()
        .map(|operation| tokio::spawn(stream(operation, from, end)))
        .collect();
    let mut times = Vec::new();
    let mut operations = 0;
    for stream in streams {
        let (mut of_stream, done) = stream.await??;
        times.append(&mut of_stream);
        operations += done;
    }
    Ok(Driven {
        sample: Sample::of(times, measured),
        operations,
    })
}

/// Repeats an operation until `end`; returns the number of runs, and the microseconds of those measured.
async fn stream<O: Operation>(
    mut operation: O,
    from: Instant,
    end: Instant,
) -> Result<(Vec<u64>, u64), Trouble> {
    let mut times = Vec::new();
    let mut operations = 0;
    loop {
        let begun = Instant::now();
        if begun >= end {
            return Ok((times, operations));
        }
        operation.once().await?;
        operations += 1;
        let done = Instant::now();
        if done >= from && done < end {
            times.push(micros(done - begun));
        }
    }
}
