//! `licet.clock.v1.ClockService`: reads and advances the suite's test clock.

use std::sync::Arc;

use licet_contracts::clock::v1::{
    AdvanceTimeRequest, AdvanceTimeResponse, GetTimeRequest, GetTimeResponse,
    advance_time_request::By, clock_service_server::ClockService,
};
use licet_domain::clock::{Clock, Instant};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    caller::accept,
    clock::{Advance, TestClock},
    fault::Fault,
    field::Fields,
    schedule::CatchUp,
    wire::{decode_length, decode_time, encode_time},
};

/// The gRPC service for the test clock.
#[derive(Clone)]
pub(crate) struct ClockRpc {
    clock: Arc<TestClock>,
    catch_up: CatchUp,
}

impl ClockRpc {
    /// `catch_up` runs the work that an advance makes due, in every service of the suite.
    #[must_use]
    pub(crate) fn new(clock: Arc<TestClock>, catch_up: CatchUp) -> Self {
        Self { clock, catch_up }
    }
}

#[tonic::async_trait]
impl ClockService for ClockRpc {
    async fn get_time(
        &self,
        _: Request<GetTimeRequest>,
    ) -> Result<Response<GetTimeResponse>, Status> {
        let offset_us = self.clock.offset_us();
        Ok(Response::new(GetTimeResponse {
            current_time: Some(encode_time(self.clock.now())),
            is_test_clock: true,
            offset: Some(prost_types::Duration {
                seconds: offset_us.div_euclid(1_000_000),
                nanos: i32::try_from(offset_us.rem_euclid(1_000_000) * 1000).unwrap_or_default(),
            }),
        }))
    }

    async fn advance_time(
        &self,
        request: Request<AdvanceTimeRequest>,
    ) -> Result<Response<AdvanceTimeResponse>, Status> {
        let (_, message) = accept(request)?;
        let (request_id, target) = decode_advance(&message)?;
        let Advance { before, after } =
            self.clock
                .advance(request_id, &format!("{:?}", message.by), target)?;
        self.catch_up.run().await?;
        Ok(Response::new(AdvanceTimeResponse {
            previous_time: Some(encode_time(before)),
            current_time: Some(encode_time(after)),
        }))
    }
}

type Target = Box<dyn FnOnce(Instant) -> Option<Instant> + Send>;

fn decode_advance(message: &AdvanceTimeRequest) -> Result<(Uuid, Target), Fault> {
    let mut fields = Fields::new();
    let request_id = fields.attempt_id("request_id", &message.request_id);
    let target: Result<Target, _> = match &message.by {
        None => Err(fields.note("by", "is required: set months, duration or to_time")),
        Some(By::Months(months)) => match u32::try_from(*months) {
            Ok(months @ 1..=1200) => Ok(Box::new(move |now| now.checked_add_months(months))),
            Ok(_) | Err(_) => Err(fields.note("months", "must be from 1 to 1200")),
        },
        Some(By::Duration(duration)) => match decode_length(duration) {
            Some(length) => Ok(Box::new(move |now| now.checked_add(length))),
            None => Err(fields.note("duration", "must be at least a microsecond")),
        },
        Some(By::ToTime(time)) => match decode_time(time) {
            Ok(instant) => Ok(Box::new(move |_| Some(instant))),
            Err(error) => Err(fields.note("to_time", error)),
        },
    };
    fields.build(|| Ok((request_id?, target?)))
}
