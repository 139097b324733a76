//! Documents as pages to print and send: self-contained, every text escaped. Figures are shown as
//! given; nothing is computed here.

pub(crate) mod invoice;
pub(crate) mod statement;

use askama::Template;
use licet_domain::{clock::Instant, deceptive, money::Money};
use licet_runtime::fault::Fault;

/// The content type of the pages.
pub(crate) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

fn page(template: &impl Template) -> Result<Vec<u8>, Fault> {
    let rendered = template.render().map_err(Fault::internal)?;
    // The template itself breaks lines. Names from before such characters were refused may have others.
    let lines: Vec<_> = rendered.split('\n').map(deceptive::escaped).collect();
    Ok(lines.join("\n").into_bytes())
}

/// `2026-01-01 00:00:00 UTC`, with decimals if the second has any.
fn time(instant: Instant) -> String {
    instant
        .to_utc()
        .format("%Y-%m-%d %H:%M:%S%.f UTC")
        .to_string()
}

/// A span of time; its end is not included.
fn span(start: Instant, end: Instant) -> String {
    format!("{} to {}", time(start), time(end))
}

/// `None` for zero, so that other amounts stand out.
fn unless_zero(amount: Money) -> Option<String> {
    Some(amount.to_string()).filter(|_| !amount.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Template)]
    #[template(source = "<p>\n{{ name }}</p>", ext = "html")]
    struct Named<'a> {
        name: &'a str,
    }

    #[test]
    fn a_name_shows_what_it_hides() {
        let shown = page(&Named {
            name: "<b>a\u{202e}b\rc",
        });
        let shown = String::from_utf8(shown.unwrap()).unwrap();
        assert_eq!(
            shown,
            r"<p>
&#60;b&#62;a\u{202e}b\rc</p>"
        );
    }
}
