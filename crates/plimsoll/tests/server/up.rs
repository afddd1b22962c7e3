//! `plimsoll up`: the processes of this machine are watched without anything being told.

use super::*;

/// A process that says which service it is, as OpenTelemetry has it. Ends with the test.
struct Labelled(Child);

impl Labelled {
    fn start(service: &str) -> Self {
        let child = Command::new("sleep")
            .arg("300")
            .env("OTEL_SERVICE_NAME", service)
            .env("OTEL_RESOURCE_ATTRIBUTES", "service.version=7,service.instance.id=up-test-0")
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Labelled {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_labelled_process_of_this_machine_is_seen_and_up_ends_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let service = format!("up-test-{}", std::process::id());
    let labelled = Labelled::start(&service);
    let mut up = Server::of("up", dir.path());
    let seen = async {
        loop {
            let answer = up.get("/api/v1/services").send().await.unwrap();
            let answer: Value = answer.json().await.unwrap();
            let services = answer["services"].as_array().unwrap().clone();
            if let Some(found) = services.into_iter().find(|entry| entry["service"] == *service) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(40), seen).await.expect("it is seen");
    assert_eq!(found["verdict"], "undecided", "nobody can tell of a process that began just now");
    assert_eq!(found["replicas"][0]["instance"], "up-test-0");
    assert_eq!(found["replicas"][0]["version"], "7");
    drop(labelled);
    up.signal(Signal::SIGTERM);
    let status = up.ended(Duration::from_secs(20)).await.expect("it ends");
    assert_eq!(status.code(), Some(0));
}
