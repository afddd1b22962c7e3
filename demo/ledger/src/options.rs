//! What the ledger is told through its environment, read once.
#![expect(clippy::disallowed_methods, reason = "the settings of this program are read here")]

use std::env;
use std::path::PathBuf;

pub(crate) struct Options {
    pub(crate) port: u16,
    /// Where the journal and the audit file go.
    pub(crate) directory: PathBuf,
    /// The config file; it may be absent, and may appear later.
    pub(crate) config: Option<PathBuf>,
    pub(crate) telemetry: Telemetry,
}

/// Where spans go, and what they say of their sender.
pub(crate) struct Telemetry {
    /// Base address without a trailing slash, for example `http://127.0.0.1:4318`.
    pub(crate) endpoint: Option<String>,
    /// Keys and values; `service.name` first.
    pub(crate) resource: Vec<(String, String)>,
}

impl Options {
    pub(crate) fn from_environment() -> Result<Self, String> {
        let port = env::var("PORT").ok().and_then(|port| port.parse().ok());
        let attributes = env::var("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let name = env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "ledger".into());
        Ok(Self {
            port: port.ok_or("PORT is not set to the number of a port")?,
            directory: env::var("LEDGER_DIR").map_or_else(|_| env::temp_dir(), PathBuf::from),
            config: env::var("LEDGER_CONFIG").ok().map(PathBuf::from),
            telemetry: Telemetry {
                endpoint: env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok(),
                resource: resource(name, &attributes),
            },
        })
    }
}

fn resource(name: String, attributes: &str) -> Vec<(String, String)> {
    let pairs = attributes.split(',').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    [("service.name".to_owned(), name)].into_iter().chain(pairs).collect()
}
