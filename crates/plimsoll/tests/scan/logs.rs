//! `plimsoll scan --logs`: what logs say is shown, weighs where something grows, and their text is
//! repeated nowhere.

use serde_json::Value;

use super::files::{Files, rows};

const MIB: f64 = 1_048_576.0;

fn telemetry(per_step: f64) -> String {
    "ts,service,version,instance,metric,value\n".to_owned() + &replica("orders-0", per_step)
}

fn replica(instance: &str, per_step: f64) -> String {
    // Noise without a generator: a sequence that does not repeat within the samples.
    let value = |step: i32| {
        let noise = f64::from((step * 7919) % 101) / 101.0;
        (300.0 + per_step * f64::from(step) + noise) * MIB
    };
    let values: Vec<f64> = (0..400).map(value).collect();
    let limit = vec![1024.0 * MIB; 400];
    rows(1_780_000_000, instance, "process.memory.rss", &values)
        + &rows(1_780_000_000, instance, "container.memory.limit", &limit)
}

fn of_logs(report: &Value) -> Vec<(String, f64)> {
    let facts = report["services"][0]["evidence"].as_array().unwrap();
    let named = facts
        .iter()
        .filter(|fact| fact["source"] == "heap_full" || fact["source"] == "oom_kill_child");
    named
        .map(|fact| (fact["claim"].as_str().unwrap().into(), fact["weight"].as_f64().unwrap()))
        .collect()
}

const APPLICATION: &str = "2026-05-28T20:26:50Z ERROR order 4711 of a.person@example.org failed\n\
                           java.lang.OutOfMemoryError: Java heap space\n";

const KERNEL: &str = "\
2026-05-28T20:27:00Z host kernel: worker invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL)\n\
2026-05-28T20:27:00Z host kernel: [   40]     0    40      620       12    45056        0    0 main\n\
2026-05-28T20:27:00Z host kernel: [   41]     0    41   530382    51910   434176        0    0 worker\n\
2026-05-28T20:27:00Z host kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,\
mems_allowed=0,oom_memcg=/shop/orders-0,task_memcg=/shop/orders-0,task=worker,pid=41,uid=0\n\
2026-05-28T20:27:00Z host kernel: Memory cgroup out of memory: Killed process 41 (worker) total-vm:2kB\n\
2026-05-28T20:28:00Z host kernel: elsewhere invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL)\n\
2026-05-28T20:28:00Z host kernel: Killed process 99 (elsewhere) total-vm:2kB\n";

#[test]
fn what_logs_say_weighs_where_memory_grows_and_only_there() {
    let folder = Files::new();
    let application = folder.write("app.log", APPLICATION);
    let kernel = folder.write("kern.log", KERNEL);
    let own = format!("orders/orders-0={}", application.display());
    let logs = ["--logs", &own, "--logs", kernel.to_str().unwrap()];
    let run = folder.scan(telemetry(0.5), &logs);
    let found = of_logs(&run.json());
    assert_eq!(found.len(), 2, "{}", run.out);
    assert!(found.iter().all(|(_, weight)| *weight > 0.0), "{found:?}");
    assert_eq!(run.json()["services"][0]["cause"], "heap");
    assert!(!run.out.contains("example.org") && !run.err.contains("example.org"));
    assert!(run.err.contains("the kernel killed elsewhere"), "{}", run.err);

    let flat = folder.scan(telemetry(0.0), &logs);
    assert_eq!(flat.json()["services"][0]["verdict"], "steady");
    assert!(of_logs(&flat.json()).iter().all(|(_, weight)| *weight == 0.0), "{}", flat.out);
}

#[test]
fn a_log_of_nobody_and_one_that_is_not_there_are_bad_input() {
    let folder = Files::new();
    let log = folder.write("app.log", APPLICATION);
    let of_stranger = format!("stranger={}", log.display());
    let run = folder.scan(telemetry(0.0), &["--logs", &of_stranger]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("`stranger`"), "{}", run.err);
    let run = folder.scan(telemetry(0.0), &["--logs", "no/such.log"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("no/such.log"), "{}", run.err);
}

/// The paths of containers hold no name of a service, so nothing tells which replica it was.
const OF_A_REPLICA: &str = "\
2026-05-28T20:30:00Z host kernel: orders invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL)\n\
2026-05-28T20:30:00Z host kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,\
mems_allowed=0,oom_memcg=/docker/2e08,task_memcg=/docker/2e08,task=orders,pid=41,uid=0\n\
2026-05-28T20:30:00Z host kernel: Memory cgroup out of memory: Killed process 41 (orders) total-vm:2kB\n";

fn claims<'a>(report: &'a Value, word: &str) -> Vec<&'a str> {
    let facts = report["services"][0]["evidence"].as_array().unwrap().iter();
    let claims = facts.filter_map(|fact| fact["claim"].as_str());
    claims.filter(|claim| claim.contains(word)).collect()
}

#[test]
fn a_kill_of_some_replica_ends_the_run_of_none_and_that_of_the_only_one() {
    let folder = Files::new();
    let log = folder.write("kern.log", OF_A_REPLICA);
    let logs = ["--logs", log.to_str().unwrap()];
    let of_two = telemetry(0.5) + &replica("orders-1", 0.5);
    let (quiet, told) = (folder.scan(&of_two, &[]).json(), folder.scan(&of_two, &logs).json());
    let length = |report| claims(report, "samples show it").concat();
    assert_eq!(length(&told), length(&quiet));
    let killed = |report| claims(report, "(once)").len();
    assert_eq!((killed(&quiet), killed(&told)), (0, 1), "{told}");

    let kill = "{\"ts\":1780000203,\"kind\":\"oom_kill\",\"service\":\"orders\",\
                \"instance\":\"orders-0\",\"version\":\"1.0.0\"}\n";
    let events = folder.write("events.jsonl", kill);
    let both = [&["--events", events.to_str().unwrap()], logs.as_slice()].concat();
    let report = folder.scan(&of_two, &both).json();
    assert!(claims(&report, "times)").is_empty(), "{report}");

    let (quiet, told) = (folder.scan(telemetry(0.5), &[]), folder.scan(telemetry(0.5), &logs));
    assert_ne!(length(&told.json()), length(&quiet.json()), "{}", told.out);
}
