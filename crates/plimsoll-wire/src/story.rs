//! The story of a demo: what `plimsoll demo --json FILE` writes.

use serde::{Deserialize, Serialize};

use crate::assessment::ExhaustionShape;
use crate::receipt::ReceiptShape;
use crate::scan::ScanService;

/// Everything that the demo claims, in the words of the formats that it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    pub services: Vec<ScanService>,
    /// Null when no incident was opened: the demo failed.
    pub incident: Option<StoryIncident>,
    pub receipts: Vec<ReceiptShape>,
    /// Null where the machine has nothing that a lease could be taken on; `skipped` says why.
    pub lease: Option<StoryLease>,
    /// A word of [`crate::words::OutcomeWord`]; null when there is no outcome.
    pub outcome: Option<crate::words::OutcomeWord>,
    /// When the limit is reached again; only for what is masked.
    pub predicted_recurrence: Option<ExhaustionShape>,
    /// What was not shown on this machine, and why.
    pub skipped: Vec<String>,
    pub audit: StoryAudit,
}

/// The incident, in brief.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoryIncident {
    pub service: String,
    pub version: Option<String>,
    /// Seconds from the bad deploy to the verdict.
    pub detected_after_s: f64,
    pub growing_class: Option<String>,
    pub growing_class_share: Option<f64>,
}

/// The lease that outlived its server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryLease {
    pub taken_at: String,
    pub server_killed_at: Option<String>,
    pub undone_at: Option<String>,
    pub what: String,
}

/// What a check of the journal found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryAudit {
    pub entries: u64,
    pub verified: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::OutcomeWord;

    #[test]
    fn a_story_has_exactly_the_documented_fields() {
        let story = Story {
            services: Vec::new(),
            incident: Some(StoryIncident {
                service: "orders".into(),
                version: Some("1.1.0".into()),
                detected_after_s: 41.5,
                growing_class: Some("Order".into()),
                growing_class_share: Some(0.75),
            }),
            receipts: Vec::new(),
            lease: Some(StoryLease {
                taken_at: "t".into(),
                server_killed_at: None,
                undone_at: None,
                what: "w".into(),
            }),
            outcome: Some(OutcomeWord::Fixed),
            predicted_recurrence: None,
            skipped: Vec::new(),
            audit: StoryAudit { entries: 3, verified: true },
        };
        let want = concat!(
            r#"{"services":[],"incident":{"service":"orders","version":"1.1.0","#,
            r#""detected_after_s":41.5,"growing_class":"Order","growing_class_share":0.75},"#,
            r#""receipts":[],"lease":{"taken_at":"t","server_killed_at":null,"undone_at":null,"#,
            r#""what":"w"},"outcome":"fixed","predicted_recurrence":null,"skipped":[],"#,
            r#""audit":{"entries":3,"verified":true}}"#,
        );
        let text = serde_json::to_string(&story).unwrap();
        assert_eq!(text, want);
        assert_eq!(serde_json::from_str::<Story>(&text).unwrap(), story);
    }
}
