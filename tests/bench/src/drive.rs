//! The load: many streams, each asking again as soon as it is answered, and what was seen of it.

use std::time::{Duration, Instant};

use crate::{
    outcome::{Sample, micros},
    trouble::Trouble,
};

/// What a stream does over and over.
pub(crate) trait Operation: Send + 'static {
    /// Does it once; anything but the answer that was wanted is trouble.
    fn once(&mut self) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// What came of a load.
pub(crate) struct Driven {
    pub(crate) sample: Sample,
    /// All that was done, before the measurement began, too.
    pub(crate) operations: u64,
}

/// Runs every operation as a stream of its own: for a fifth of `measured` to warm up, then measured.
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

/// Times of what began and ended within the measurement, in microseconds, and how much was done.
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
