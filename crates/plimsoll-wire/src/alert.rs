//! An alert as it is stored and served.

use plimsoll_model::Alert;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::shape::{self, ShapeError, format_time, format_time_opt};
use crate::words::{AlertLevelWord, UrgencyWord};

/// One standing alert about one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertRecord {
    pub service: String,
    pub level: AlertLevelWord,
    pub urgency: UrgencyWord,
    pub raised_at: String,
    /// When a leak was told first; null of a mere suspect.
    pub told_at: Option<String>,
    /// Since when the verdict has been steady; null while it is not.
    pub steady_since: Option<String>,
    /// Since when the data has not answered; null while it does.
    pub undecided_since: Option<String>,
}

impl From<&Alert> for AlertRecord {
    fn from(alert: &Alert) -> Self {
        let Alert { service, level, urgency, raised_at, told_at, .. } = alert;
        Self {
            service: service.to_string(),
            level: (*level).into(),
            urgency: (*urgency).into(),
            raised_at: format_time(*raised_at),
            told_at: format_time_opt(*told_at),
            steady_since: format_time_opt(alert.steady_since),
            undecided_since: format_time_opt(alert.undecided_since),
        }
    }
}

impl TryFrom<AlertRecord> for Alert {
    type Error = ShapeError;
    fn try_from(record: AlertRecord) -> Result<Self, ShapeError> {
        Ok(Self {
            service: shape::name("alert.service", &record.service)?,
            level: record.level.into(),
            urgency: record.urgency.into(),
            raised_at: shape::time("alert.raised_at", &record.raised_at)?,
            told_at: shape::time_opt("alert.told_at", record.told_at.as_deref())?,
            steady_since: shape::time_opt("alert.steady_since", record.steady_since.as_deref())?,
            undecided_since: shape::time_opt(
                "alert.undecided_since",
                record.undecided_since.as_deref(),
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{AlertLevel, ServiceName, Timestamp, Urgency};

    #[test]
    fn an_alert_comes_back_as_it_went() {
        let alert = Alert {
            service: ServiceName::new("orders").unwrap(),
            level: AlertLevel::Confirmed,
            urgency: Urgency::Page,
            raised_at: Timestamp::from_secs(10),
            told_at: Some(Timestamp::from_secs(20)),
            steady_since: None,
            undecided_since: Some(Timestamp::from_secs(30)),
        };
        let text = serde_json::to_string(&AlertRecord::from(&alert)).unwrap();
        let back: AlertRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(Alert::try_from(back).unwrap(), alert);
        let wrong = text.replace("1970-01-01T00:00:10", "yesterday");
        let wrong: AlertRecord = serde_json::from_str(&wrong).unwrap();
        assert!(Alert::try_from(wrong).unwrap_err().to_string().contains("raised_at"));
    }
}
