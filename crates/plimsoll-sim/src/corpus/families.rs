//! The table of families: name, half, label. Which half a family is in is decided here, once, and
//! never by a score. Kinds that look alike are in both halves, with another behaviour in each.

use plimsoll_model::Half::{Report, Tune};
use plimsoll_model::Label::{Benign, Leaking};

use super::Family;
use super::{benign, busy, changed, held, leaking, operated};

macro_rules! families {
    ($($half:ident $label:ident $module:ident::$plan:ident $name:literal;)*) => {
        const FAMILIES: &[Family] = &[$(
            Family { name: $name, half: $half, label: $label, plan: $module::$plan },
        )*];
    };
}

families! {
    Tune   Leaking leaking::steady_under_gc         "leak-under-gc";
    Report Leaking leaking::fast                    "leak-fast";
    Tune   Leaking leaking::per_request_measured    "leak-per-request";
    Report Leaking leaking::per_request_unmeasured  "leak-per-request-blind";
    Report Leaking leaking::accelerating            "leak-accelerating";
    Tune   Leaking leaking::burst_steps             "leak-bursts";
    Report Leaking leaking::nightly_job_keeps       "leak-nightly-job";
    Report Leaking leaking::slow_two_weeks          "leak-slow-fortnight";
    Tune   Leaking leaking::slow_week               "leak-slow-week";
    Tune   Leaking leaking::native_flat_heap        "leak-native-flat-heap";
    Report Leaking leaking::offheap_buffers         "leak-buffers";
    Report Leaking leaking::fragmentation_even      "fragmentation";
    Tune   Leaking leaking::fragmentation_peaks     "fragmentation-peaks";
    Tune   Leaking leaking::killed_again_and_again  "leak-oom-kills";
    Report Leaking leaking::restarts_hide_it        "leak-restarted";
    Tune   Leaking leaking::one_bad_replica         "leak-one-replica";
    Report Leaking leaking::after_long_warm_up      "leak-after-warm-up";
    Tune   Leaking leaking::beside_bounded_cache    "leak-beside-cache";
    Tune   Leaking leaking::beside_page_cache       "leak-beside-files";
    Report Leaking leaking::working_hours           "leak-working-hours";
    Report Leaking leaking::under_growing_traffic   "leak-growing-traffic";
    Tune   Leaking changed::deploy_after_innocent   "leak-second-deploy";
    Report Leaking changed::innocent_deploy_after   "leak-first-deploy";
    Report Leaking changed::flag                    "leak-flag";
    Tune   Leaking changed::config_step_then_leak   "leak-config-step";
    Report Leaking changed::canary                  "leak-canary";
    Tune   Leaking changed::cured_by_a_version      "leak-cured";
    Report Leaking changed::rolled_back             "leak-rolled-back";
    Tune   Leaking held::fds                        "leak-fds";
    Report Leaking held::sockets                    "leak-sockets";
    Tune   Leaking held::threads                    "leak-threads";
    Report Leaking held::goroutines                 "leak-goroutines";
    Report Leaking held::pool_connections           "leak-pool";
    Tune   Leaking held::class_loaders              "leak-classes";

    Tune   Benign  benign::quiet                    "quiet";
    Tune   Benign  benign::warm_up                  "warm-up";
    Report Benign  benign::warm_up_in_stages        "warm-up-stages";
    Report Benign  benign::cache_with_metrics       "cache-fill";
    Tune   Benign  benign::cache_without_metrics    "cache-blind";
    Report Benign  benign::fill_without_limit       "fill-unlimited";
    Report Benign  benign::sessions_expire          "sessions";
    Tune   Benign  benign::lazy_collector           "lazy-gc";
    Report Benign  benign::idle_heap_creeps         "idle-heap";
    Report Benign  benign::heap_expansion           "heap-expansion";
    Tune   Benign  benign::code_cache               "code-cache";
    Report Benign  benign::allocator_retention      "retention";
    Tune   Benign  benign::concurrency_records      "arena-records";
    Report Benign  benign::long_memory_noise        "long-memory";
    Tune   Benign  benign::strolls_and_returns      "stroll";
    Tune   Benign  benign::spikes                   "spikes";
    Report Benign  benign::tiny_with_bursts         "tiny";
    Tune   Benign  busy::day_curve                  "day-curve";
    Report Benign  busy::week_curve                 "week-curve";
    Report Benign  busy::organic_growth             "organic-growth";
    Tune   Benign  busy::launch                     "launch";
    Tune   Benign  busy::handles_follow_load        "handles-load";
    Report Benign  busy::nightly_batch              "nightly-batch";
    Tune   Benign  busy::hourly_cron                "hourly-cron";
    Report Benign  busy::backlog_drains             "backlog";
    Tune   Benign  busy::thread_pool_fills          "thread-pool";
    Report Benign  busy::connection_pool_warms      "connection-pool";
    Tune   Benign  busy::compaction                 "compaction";
    Tune   Benign  busy::page_cache                 "page-cache";
    Report Benign  busy::log_files                  "log-files";
    Tune   Benign  operated::deploy_needs_more      "deploy-step";
    Report Benign  operated::setting_needs_more     "setting-step";
    Report Benign  operated::two_plateaux           "two-plateaux";
    Tune   Benign  operated::limit_raised           "limit-raised";
    Report Benign  operated::limit_lowered          "limit-lowered";
    Report Benign  operated::scale_out_and_in       "scale-out";
    Tune   Benign  operated::restarted_every_night  "nightly-restart";
    Report Benign  operated::deploy_train           "deploy-train";
    Tune   Benign  operated::bad_collector          "bad-collector";
}

/// Every family, in the order of the table.
pub fn families() -> &'static [Family] {
    FAMILIES
}
