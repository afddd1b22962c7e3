//! The canonical metrics: every measure that Plimsoll reasons about, declared once.
//!
//! Not here: the names these have at their sources. Those are data, in `plimsoll-ingest`.

use std::fmt;
use std::str::FromStr;

/// What one unit of a metric's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    Bytes,
    Count,
    Seconds,
    PerSecond,
}

/// How a metric's values relate to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The value is the state at its moment.
    Gauge,
    /// The value only rises, and starts again at zero with its instance.
    Counter,
}

/// What the metric is a property of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    Node,
    Container,
    Process,
    Runtime,
    Pool,
    Queue,
    Cache,
    Service,
    Edge,
}

/// What the metric tells the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Footprint,
    Limit,
    LiveSet,
    Native,
    Collection,
    Pressure,
    Held,
    Traffic,
    Life,
}

macro_rules! metrics {
    ($($variant:ident $name:literal $unit:ident $kind:ident $level:ident $role:ident;)*) => {
        /// A canonical metric.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Metric { $($variant,)* }

        impl Metric {
            /// Every metric, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub const fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit,)* }
            }

            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)* }
            }

            pub const fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level,)* }
            }

            pub const fn role(self) -> Role {
                match self { $(Self::$variant => Role::$role,)* }
            }
        }

        impl FromStr for Metric {
            type Err = UnknownMetric;
            fn from_str(name: &str) -> Result<Self, UnknownMetric> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(UnknownMetric(name.into())),
                }
            }
        }
    };
}

metrics! {
    ContainerMemoryUsage "container.memory.usage" Bytes Gauge Container Footprint;
    ContainerMemoryWorkingSet "container.memory.working_set" Bytes Gauge Container Footprint;
    ContainerMemoryAnon "container.memory.anon" Bytes Gauge Container Footprint;
    ContainerMemoryFile "container.memory.file" Bytes Gauge Container Footprint;
    ContainerMemoryKernel "container.memory.kernel" Bytes Gauge Container Footprint;
    ProcessMemoryRss "process.memory.rss" Bytes Gauge Process Footprint;
    ProcessMemoryPss "process.memory.pss" Bytes Gauge Process Footprint;
    ProcessMemoryAnon "process.memory.anon" Bytes Gauge Process Footprint;

    ContainerMemoryLimit "container.memory.limit" Bytes Gauge Container Limit;
    ContainerMemoryHigh "container.memory.high" Bytes Gauge Container Limit;
    ContainerMemoryRequest "container.memory.request" Bytes Gauge Container Limit;
    RuntimeHeapLimit "runtime.heap.limit" Bytes Gauge Runtime Limit;
    ProcessFdsLimit "process.fds.limit" Count Gauge Process Limit;
    NodeMemoryAllocatable "node.memory.allocatable" Bytes Gauge Node Limit;

    RuntimeHeapLive "runtime.heap.live" Bytes Gauge Runtime LiveSet;
    RuntimeHeapUsed "runtime.heap.used" Bytes Gauge Runtime LiveSet;
    RuntimeHeapCommitted "runtime.heap.committed" Bytes Gauge Runtime LiveSet;
    RuntimeHeapObjects "runtime.heap.objects" Count Gauge Runtime LiveSet;

    RuntimeNonheapUsed "runtime.nonheap.used" Bytes Gauge Runtime Native;
    RuntimeNativeUsed "runtime.native.used" Bytes Gauge Runtime Native;
    RuntimeBuffersUsed "runtime.buffers.used" Bytes Gauge Runtime Native;
    RuntimeArenaActive "runtime.arena.active" Bytes Gauge Runtime Native;
    RuntimeArenaResident "runtime.arena.resident" Bytes Gauge Runtime Native;
    RuntimeArenaRetained "runtime.arena.retained" Bytes Gauge Runtime Native;
    RuntimeLargeObjectsUsed "runtime.large_objects.used" Bytes Gauge Runtime Native;

    RuntimeHeapAllocated "runtime.heap.allocated" Bytes Counter Runtime Collection;
    RuntimeGcCount "runtime.gc.count" Count Counter Runtime Collection;
    RuntimeGcPause "runtime.gc.pause" Seconds Counter Runtime Collection;
    RuntimeGcCpu "runtime.gc.cpu" Seconds Counter Runtime Collection;

    ContainerMemoryPressureSome "container.memory.pressure.some" Seconds Counter Container Pressure;
    ContainerMemoryPressureFull "container.memory.pressure.full" Seconds Counter Container Pressure;
    ContainerMemoryEventsHigh "container.memory.events.high" Count Counter Container Pressure;
    ContainerMemoryEventsMax "container.memory.events.max" Count Counter Container Pressure;
    ContainerMemoryEventsOom "container.memory.events.oom" Count Counter Container Pressure;
    ContainerMemoryEventsOomKill "container.memory.events.oom_kill" Count Counter Container Pressure;
    ContainerMemoryRefaults "container.memory.refaults" Count Counter Container Pressure;
    NodeMemoryAvailable "node.memory.available" Bytes Gauge Node Pressure;
    NodeMemoryPressureSome "node.memory.pressure.some" Seconds Counter Node Pressure;
    NodeMemoryPressureFull "node.memory.pressure.full" Seconds Counter Node Pressure;

    ProcessFds "process.fds" Count Gauge Process Held;
    ProcessThreads "process.threads" Count Gauge Process Held;
    ProcessSockets "process.sockets" Count Gauge Process Held;
    RuntimeGoroutines "runtime.goroutines" Count Gauge Runtime Held;
    RuntimeClasses "runtime.classes" Count Gauge Runtime Held;
    RuntimeTimers "runtime.timers" Count Gauge Runtime Held;
    PoolConnectionsUsed "pool.connections.used" Count Gauge Pool Held;
    PoolConnectionsIdle "pool.connections.idle" Count Gauge Pool Held;
    PoolConnectionsMax "pool.connections.max" Count Gauge Pool Held;
    PoolConnectionsPending "pool.connections.pending" Count Gauge Pool Held;
    QueueDepth "queue.depth" Count Gauge Queue Held;
    QueueCapacity "queue.capacity" Count Gauge Queue Held;
    CacheEntries "cache.entries" Count Gauge Cache Held;
    CacheBytes "cache.bytes" Bytes Gauge Cache Held;
    CacheEvictions "cache.evictions" Count Counter Cache Held;

    ServiceRequestsRate "service.requests.rate" PerSecond Gauge Service Traffic;
    ServiceRequestsInFlight "service.requests.in_flight" Count Gauge Service Traffic;
    ServiceRequestsErrors "service.requests.errors" PerSecond Gauge Service Traffic;
    ServiceLatencyP50 "service.latency.p50" Seconds Gauge Service Traffic;
    ServiceLatencyP99 "service.latency.p99" Seconds Gauge Service Traffic;
    EdgeRequestsRate "edge.requests.rate" PerSecond Gauge Edge Traffic;
    EdgeRequestsInFlight "edge.requests.in_flight" Count Gauge Edge Traffic;
    EdgeLatencyP99 "edge.latency.p99" Seconds Gauge Edge Traffic;

    ContainerRestarts "container.restarts" Count Counter Container Life;
    ProcessStartTime "process.start_time" Seconds Gauge Process Life;
    ContainerCpuUsage "container.cpu.usage" Seconds Counter Container Life;
}

impl Metric {
    /// Which of several readings of one moment comes first: those that may begin a new life.
    pub const fn rank(self) -> u8 {
        if matches!(self, Self::ProcessStartTime) {
            0
        } else if matches!(self, Self::ContainerRestarts) {
            1
        } else {
            2
        }
    }

    /// What this measure runs out against: the metric of the limit that the kernel or the runtime
    /// kills for.
    pub const fn limited_by(self) -> Option<Self> {
        if matches!(self, Self::ProcessFds | Self::ProcessSockets) {
            return Some(Self::ProcessFdsLimit);
        }
        match (self.level(), self.role()) {
            (_, Role::LiveSet) => Some(Self::RuntimeHeapLimit),
            (Level::Container | Level::Process, Role::Footprint) => {
                Some(Self::ContainerMemoryLimit)
            }

            _ => None,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is not canonical. It may still be known at a source: ask the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMetric(pub String);

impl fmt::Display for UnknownMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a canonical metric", self.0)
    }
}

impl std::error::Error for UnknownMetric {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_name() {
        for metric in Metric::ALL {
            assert_eq!(metric.name().parse(), Ok(*metric));
        }
    }

    #[test]
    fn exhaustion_is_measured_against_what_is_killed_for() {
        let check = |metric: Metric, limit| assert_eq!(metric.limited_by(), limit);
        check(Metric::RuntimeHeapLive, Some(Metric::RuntimeHeapLimit));
        check(Metric::ProcessMemoryRss, Some(Metric::ContainerMemoryLimit));
        check(Metric::ProcessFds, Some(Metric::ProcessFdsLimit));
        check(Metric::ServiceRequestsRate, None);
    }

    #[test]
    fn a_foreign_name_is_not_guessed() {
        let unknown = "container_memory_rss".parse::<Metric>();
        assert_eq!(unknown, Err(UnknownMetric("container_memory_rss".into())));
    }
}
