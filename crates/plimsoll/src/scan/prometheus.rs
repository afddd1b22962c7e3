//! Reading what a scan is asked about from a Prometheus-compatible server, over its query API: in
//! bounded pieces, one name at a time.
//!
//! What the names and labels mean is `plimsoll-ingest`'s; the connection is in `client`, who asks in
//! `credentials`, who may vouch for the server in `roots`, the order of the questions in `pull`.
//! Used by `scan`.

mod client;
mod credentials;
mod pull;
mod roots;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use plimsoll_ingest::Rejections;
use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_ingest::prometheus::{TooManySeries, Window};
use plimsoll_model::{Change, ServiceName, Span, Timestamp};

use self::client::{AskError, Client};
use self::credentials::{BASIC_VARIABLE, Credentials, TOKEN_VARIABLE};
use super::telemetry::Telemetry;
use crate::output::{Progress, say};
use crate::spans::span;

/// Longest time that is read back. Prometheus keeps 15 days by itself, and stores behind it years;
/// a leak that takes longer than this has other names.
const SINCE_MAX: Span = Span::from_hours(400 * 24);

/// Finest step: below a second there is no memory metric, only noise of the scrape.
const STEP_MIN: Span = Span::from_secs(1);

/// Where to ask, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Address of a Prometheus-compatible server, instead of a file.
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus: Option<String>,
    /// How far to look back.
    #[arg(long, value_name = "SPAN", conflicts_with = "telemetry", default_value = "7d",
          value_parser = since)]
    since: Span,
    /// Distance of samples; `auto` takes what the server has, up to 4000 a series.
    #[arg(long, value_name = "SPAN", conflicts_with = "telemetry", default_value = "auto",
          value_parser = step)]
    step: Step,
    /// Only series with these labels, as in a query: `namespace="shop"`.
    #[arg(long = "match", value_name = "LABELS", conflicts_with = "telemetry", value_parser = labels)]
    matching: Option<String>,
    /// Sent with every question, as `X-Scope-OrgID: shop`; may be repeated.
    #[arg(long, value_name = "NAME: VALUE", conflicts_with = "telemetry")]
    header: Vec<String>,
    /// File with the token to show; a token on the command line is seen by every user.
    #[arg(long, value_name = "FILE", conflicts_with = "telemetry")]
    bearer_token_file: Option<PathBuf>,
    /// File with `user:password`, for a server that asks for them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["telemetry", "bearer_token_file"])]
    basic_auth_file: Option<PathBuf>,
    /// For https: believe the authorities in this PEM file, instead of this machine's.
    #[arg(long, value_name = "FILE", conflicts_with = "telemetry")]
    ca_cert: Option<PathBuf>,
}

impl Options {
    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            headers: &self.header,
            bearer_token_file: self.bearer_token_file.as_deref(),
            basic_auth_file: self.basic_auth_file.as_deref(),
            environment: (variable(TOKEN_VARIABLE), variable(BASIC_VARIABLE)),
        }
    }
}

/// From the environment, because an option's value is seen by every user. Set to nothing is the
/// same as not set; what is no text becomes a secret that is refused, not none.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(|value| value.to_string_lossy().into_owned())
}

/// How fine to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Auto,
    Fixed(Span),
}

/// Everything that a scan needs of a server.
#[derive(Debug)]
pub(super) struct Pulled {
    pub(super) telemetry: Telemetry,
    /// Deploys and OOM kills that follow from what was read.
    pub(super) changes: Vec<Change>,
    pub(super) rejections: Rejections,
    /// Services that the server has instead of one that was asked for.
    pub(super) others: BTreeSet<ServiceName>,
}

/// Why a server could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum PullError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{0}; use --match, for example --match 'namespace=\"shop\"'")]
    TooManySeries(#[from] TooManySeries),
    #[error(
        "{series} series over that time are more samples than fit; choose with --match or \
         --service, or look back less far with --since"
    )]
    TooMuch { series: u64 },
    #[error("nothing could be read of {names} metrics that the server has")]
    NothingAnswered { names: usize },
    #[error(
        "the server cannot list whose series it has, of {names} names in a row; choose with \
         --match, or look back less far with --since"
    )]
    NotListed { names: usize, source: AskError },
}

/// Reads what the server holds of the time before `to`.
pub(super) fn read(
    options: &Options,
    chosen: &[ServiceName],
    catalogue: &Catalogue,
    to: Timestamp,
    progress: &Progress,
) -> Result<Pulled, PullError> {
    let url = options.prometheus.as_deref().unwrap_or_default();
    let client = Client::new(url, options.credentials(), options.ca_cert.as_deref())?;
    if client.shows_a_secret_openly() {
        say("plimsoll: what says who asks (a token, a header, a user) goes over the network in \
             clear text; use https, or a tunnel to the server");
    }
    let window = Window { from: to - options.since, to };
    let refused = RefCell::default();
    pull::Pull { client, options, catalogue, window, progress, refused }.run(chosen)
}

fn since(text: &str) -> Result<Span, String> {
    let span = span(text)?;
    if span > SINCE_MAX { Err("more than 400 days; look back less far".into()) } else { Ok(span) }
}

fn step(text: &str) -> Result<Step, String> {
    if text == "auto" {
        return Ok(Step::Auto);
    }
    let span = span(text)?;
    if span < STEP_MIN {
        Err("finer than a second; write 1s".into())
    } else {
        Ok(Step::Fixed(span))
    }
}

/// The server judges what stands inside; it must not end the selector that it is put into.
fn labels(text: &str) -> Result<String, String> {
    let inside = text.trim().trim_start_matches('{').trim_end_matches('}').trim_end_matches(',');
    let mut quoted = false;
    let mut escaped = false;
    for character in inside.chars() {
        match character {
            '"' if !escaped => quoted = !quoted,
            '{' | '}' | '\'' | '`' if !quoted => {
                return Err("write labels as in a query, as namespace=\"shop\"".into());
            }
            _ => {}
        }
        escaped = quoted && character == '\\' && !escaped;
    }
    if quoted || !inside.contains('=') {
        return Err("write labels as in a query, as namespace=\"shop\"".into());
    }
    Ok(inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_steps_have_bounds() {
        assert!(since("401d").is_err() && since("400d").is_ok());
        assert_eq!(step("auto"), Ok(Step::Auto));
        assert_eq!(step("60s"), Ok(Step::Fixed(Span::from_secs(60))));
    }

    #[test]
    fn labels_stay_inside_their_selector() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(labels(text).ok().as_deref(), want, "{text}");
        };
        check(r#"namespace="shop""#, Some(r#"namespace="shop""#));
        check(r#"{a="x",b=~"y{2}"}"#, Some(r#"a="x",b=~"y{2}""#));
        check(r#"a="x"} or {b="y""#, None);
        check(r#"a="x"#, None);
        check("shop", None);
    }
}
