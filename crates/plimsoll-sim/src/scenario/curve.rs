//! How one measure behaves in one life of a process.

/// All amounts in the metric's unit, times in seconds of uptime.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    pub base: f64,
    /// Growth per second that nothing gives back.
    pub per_second: f64,
    /// Approaches `base` plus this, as 1 - exp(-t/tau): a warm-up or a cache.
    pub warms: Option<(f64, f64)>,
    /// A tooth of this height every so many seconds, emptied at once: garbage.
    pub sawtooth: Option<(f64, f64)>,
    /// A wave of this amplitude and period of wall-clock time: the load.
    pub wave: Option<(f64, f64)>,
    /// Standard deviation of the noise as a share of the base.
    pub noise: f64,
}

impl Curve {
    /// The value at `uptime` seconds of a life, at `clock` seconds of the scenario. `unit_noise`
    /// is a draw with mean 0 and deviation 1.
    pub fn at(&self, uptime: f64, clock: f64, unit_noise: f64) -> f64 {
        let warmed = self.warms.map_or(0.0, |(by, tau)| by * (1.0 - (-uptime / tau).exp()));
        let tooth =
            self.sawtooth.map_or(0.0, |(height, period)| height * (uptime / period).fract());
        let wave = self.wave.map_or(0.0, |(amplitude, period)| {
            amplitude * (std::f64::consts::TAU * clock / period).sin()
        });
        let noise = self.noise * self.base * unit_noise;
        (self.base + self.held(uptime) + warmed + tooth + wave + noise).max(0.0)
    }

    /// What is held and not given back after `uptime` seconds.
    pub fn held(&self, uptime: f64) -> f64 {
        self.per_second * uptime
    }
}
