//! `licet usage`: draws the past and future usage of a SAN licence from a running SanLicensing, day
//! by day, as a chart on standard output.

use std::io::{IsTerminal, Write};

use chrono::TimeDelta;
use clap::Args;
use licet_contracts::{
    sanlicensing::v1::{
        DailyUsage, DayKind, GetUsageRequest, ListDailyUsageRequest, Usage,
        usage_service_client::UsageServiceClient,
    },
    types::v1::Period,
};
use licet_domain::clock::Instant;
use licet_runtime::{
    peer::PeerChannel,
    tls::TlsOptions,
    wire::{decode_time, encode_time},
};

use crate::{
    CommandError,
    chart::{self, Day, Kind, Signs},
    read_instant, service_error,
};

/// Settings of `licet usage`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The licence's id, "lic_…".
    license_id: String,
    /// The first day, such as 2026-01-01. Default: 30 days ago.
    #[arg(long, value_parser = read_instant)]
    from: Option<Instant>,
    /// The end of the days, exclusive. Default: in 90 days.
    #[arg(long, value_parser = read_instant)]
    to: Option<Instant>,
    /// Draws with ASCII characters; the default if the output is not a terminal.
    #[arg(long)]
    ascii: bool,
    /// Maximum width of the chart in columns. Default: the terminal's width, or 100.
    #[arg(long)]
    width: Option<u16>,
    /// SanLicensing's URL.
    #[arg(
        long,
        env = "LICET_SAN_LICENSING_URL",
        default_value = "http://127.0.0.1:50053"
    )]
    san_licensing_url: String,
    #[command(flatten)]
    tls: TlsOptions,
}

const PAST_DAYS: i64 = 30;
const FORECAST_DAYS: i64 = 90;
const USUAL_WIDTH: u16 = 100;

/// Writes the chart to standard output.
pub(crate) async fn run(options: &Options) -> Result<(), CommandError> {
    let tls = options.tls.open().await?;
    let channel = PeerChannel::open(&options.san_licensing_url, "usage", tls.as_ref())?;
    let mut client = UsageServiceClient::new(channel);
    let request = GetUsageRequest {
        license_id: options.license_id.clone(),
        as_of_time: None,
    };
    let response = client.get_usage(request).await;
    let response = response.map_err(|status| service_error("SanLicensing", &status))?;
    let usage = response
        .into_inner()
        .usage
        .ok_or_else(|| CommandError("SanLicensing returned no usage".to_owned()))?;
    let now = instant(usage.as_of_time)?;
    let away = |days: i64| now.checked_add(TimeDelta::days(days)).unwrap_or(now);
    let mut request = ListDailyUsageRequest {
        license_id: options.license_id.clone(),
        period: Some(Period {
            start_time: Some(encode_time(options.from.unwrap_or(away(-PAST_DAYS)))),
            end_time: Some(encode_time(options.to.unwrap_or(away(FORECAST_DAYS)))),
        }),
        ..ListDailyUsageRequest::default()
    };
    let mut days = Vec::new();
    loop {
        let page = client.list_daily_usage(request.clone()).await;
        let page = page.map_err(|status| service_error("SanLicensing", &status))?;
        let page = page.into_inner();
        days.extend(page.days);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let mut output = std::io::stdout().lock();
    for line in lines(&usage, &days, options, output.is_terminal())? {
        writeln!(output, "{line}")?;
    }
    Ok(())
}

fn lines(
    usage: &Usage,
    days: &[DailyUsage],
    options: &Options,
    is_terminal: bool,
) -> Result<Vec<String>, CommandError> {
    let signs = if options.ascii || !is_terminal {
        Signs::ASCII
    } else {
        Signs::BLOCKS
    };
    let of_terminal = || terminal_size::terminal_size().map(|(width, _)| width.0);
    let width = options.width.or_else(of_terminal).unwrap_or(USUAL_WIDTH);
    let mut lines = vec![
        format!(" {} at {}", usage.license_id, instant(usage.as_of_time)?),
        format!(
            " quota {}, used {}, reserved {}, free {}; {} distinct SANs, {} of them wildcards",
            usage.quota,
            usage.used,
            usage.reserved,
            usage.free,
            usage.distinct_sans,
            usage.wildcards
        ),
        String::new(),
    ];
    let drawn = days.iter().map(day).collect::<Result<Vec<_>, _>>()?;
    lines.extend(chart::draw(&drawn, width.into(), &signs));
    // The first of the days with the highest peak.
    if let Some(peak) = days.iter().rev().max_by_key(|day| day.peak_used) {
        let (used, quota, time) = (peak.peak_used, peak.quota, instant(peak.peak_time)?);
        lines.push(format!(" highest peak {used} of {quota} at {time}"));
    }
    for (number, next) in usage.next_returns.iter().enumerate() {
        let label = if number == 0 { "next freed" } else { "" };
        let time = instant(next.return_time)?;
        lines.push(format!(" {label:<12} {} at {time}", next.weight));
    }
    Ok(lines)
}

fn day(usage: &DailyUsage) -> Result<Day, CommandError> {
    let period = usage.day.unwrap_or_default();
    Ok(Day {
        start: instant(period.start_time)?,
        kind: match usage.kind() {
            DayKind::Past | DayKind::Unspecified => Kind::Past,
            DayKind::Today => Kind::Today,
            DayKind::Forecast => Kind::Forecast,
        },
        quota: u64::try_from(usage.quota)?,
        used: u64::try_from(usage.used)?,
        peak: u64::try_from(usage.peak_used)?,
    })
}

fn instant(time: Option<prost_types::Timestamp>) -> Result<Instant, CommandError> {
    let time = time.ok_or("is missing").and_then(|time| decode_time(&time));
    time.map_err(|error| CommandError(format!("a time that SanLicensing returned {error}")))
}
