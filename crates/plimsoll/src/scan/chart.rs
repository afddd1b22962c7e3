//! A series as a chart of plain characters: its floor, its trend, its limit, and the changes along
//! the axis of time.
//!
//! Not here: what any of it means. Used by `explain`.

use plimsoll_detect::{Line, Picture};
use plimsoll_model::{Bytes, Timestamp, Unit};

use crate::output::{WIDTH, clip};

/// Rows of the plot itself. With axis, times and legend it is about sixteen lines.
const ROWS: usize = 11;

/// Columns of the labels at the left, and of the bar beside them.
const LABEL: usize = 11;
const PLOT: usize = WIDTH - LABEL - 2;

/// Ticks on the axis of time; each label has 16 characters.
const TICKS: usize = 4;

/// A limit that is further above the highest point than this many spans would flatten the picture.
const LIMIT_SPANS: f64 = 1.5;

const POINT: u8 = b'o';
const TREND: u8 = b'.';
const LIMIT: u8 = b'=';

/// The chart in lines of at most [`WIDTH`]; none where there is nothing to draw.
pub(super) fn chart(picture: &Picture, unit: Unit, limit: Option<f64>) -> Vec<String> {
    let Some(frame) = Frame::of(picture, limit) else { return Vec::new() };
    let mut lines = vec![clip(&title(picture, unit), WIDTH)];
    lines.extend(plot(picture, &frame, unit));
    lines.push(axis(picture, &frame));
    lines.extend(times(&frame));
    lines.push(legend(picture, &frame, unit, limit));
    lines.extend(marks(picture));
    lines
}

/// What the corners of the plot stand for.
struct Frame {
    from: Timestamp,
    to: Timestamp,
    low: f64,
    high: f64,
    limit: Option<f64>,
}

impl Frame {
    fn of(picture: &Picture, limit: Option<f64>) -> Option<Self> {
        let (from, to) = (picture.points.first()?.0, picture.points.last()?.0);
        let ends = picture.line.iter().flat_map(|line| [line.begin, line.end]);
        let values = || picture.points.iter().map(|(_, value)| *value).chain(ends.clone());
        let mut low = values().fold(f64::INFINITY, f64::min);
        let mut high = values().fold(f64::NEG_INFINITY, f64::max);
        let limit = limit.filter(|limit| *limit - high <= LIMIT_SPANS * (high - low));
        high = high.max(limit.unwrap_or(high));
        low = low.min(limit.unwrap_or(low));
        if high <= low {
            // A level that never moved is drawn in the middle.
            let half = (high.abs() * 0.01).max(0.5);
            (low, high) = (low - half, high + half);
        }
        (to > from && low.is_finite() && high.is_finite()).then_some(Self {
            from,
            to,
            low,
            high,
            limit,
        })
    }

    fn row(&self, value: f64) -> usize {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        ROWS - 1 - (share * (ROWS - 1) as f64).round() as usize
    }

    fn value(&self, row: usize) -> f64 {
        self.high - (self.high - self.low) * row as f64 / (ROWS - 1) as f64
    }

    fn column(&self, at: Timestamp) -> usize {
        let share = at.since(self.from).as_secs_f64() / self.to.since(self.from).as_secs_f64();
        (share.clamp(0.0, 1.0) * (PLOT - 1) as f64).round() as usize
    }

    fn moment(&self, column: usize) -> Timestamp {
        let share = column as f64 / (PLOT - 1) as f64;
        let secs = self.to.since(self.from).as_secs_f64() * share;
        self.from + plimsoll_model::Span::from_secs_f64(secs)
    }
}

fn title(picture: &Picture, unit: Unit) -> String {
    let unit = match unit {
        Unit::Bytes => "bytes",
        Unit::Count => "count",
        Unit::Seconds => "seconds",
        Unit::PerSecond => "a second",
    };
    format!("{}, {unit}, times in UTC", picture.of)
}

fn plot(picture: &Picture, frame: &Frame, unit: Unit) -> Vec<String> {
    let mut cells = vec![[b' '; PLOT]; ROWS];
    let mut set = |column: usize, row: usize, mark: u8| {
        if let Some(cell) = cells.get_mut(row).and_then(|row| row.get_mut(column)) {
            *cell = mark;
        }
    };
    if let Some(limit) = frame.limit {
        (0..PLOT).for_each(|column| set(column, frame.row(limit), LIMIT));
    }
    if let Some(line) = &picture.line {
        for column in frame.column(line.from)..=frame.column(line.to) {
            set(column, frame.row(along(line, frame.moment(column))), TREND);
        }
    }
    for (at, value) in &picture.points {
        set(frame.column(*at), frame.row(*value), POINT);
    }
    let label = |row: usize| match row {
        0 => quantity(unit, frame.high),
        row if row == ROWS / 2 => quantity(unit, frame.value(row)),
        row if row == ROWS - 1 => quantity(unit, frame.low),
        _ => String::new(),
    };
    let line = |(row, cells): (usize, &[u8; PLOT])| {
        let text = String::from_utf8_lossy(cells);
        format!("{:>LABEL$} |{text}", clip(&label(row), LABEL)).trim_end().to_owned()
    };
    cells.iter().enumerate().map(line).collect()
}

/// The level of the trend at a moment.
fn along(line: &Line, at: Timestamp) -> f64 {
    let hours = line.to.since(line.from).as_hours_f64();
    let share = if hours > 0.0 { at.since(line.from).as_hours_f64() / hours } else { 1.0 };
    line.begin + share.clamp(0.0, 1.0) * (line.end - line.begin)
}

/// The axis of time, each change numbered where it stands.
fn axis(picture: &Picture, frame: &Frame) -> String {
    let mut cells = [b'-'; PLOT];
    for column in ticks() {
        cells[column] = b'+';
    }
    for (digit, mark) in (b'1'..=b'9').zip(&picture.marks) {
        cells[frame.column(mark.at)] = digit;
    }
    format!("{:>LABEL$} +{}", "", String::from_utf8_lossy(&cells))
}

fn ticks() -> impl Iterator<Item = usize> {
    (0..TICKS).map(|tick| tick * (PLOT - 1) / (TICKS - 1))
}

/// Times under the axis, and the days under them: each label stands around its tick.
fn times(frame: &Frame) -> [String; 2] {
    let row = |format: &str| {
        let mut line = " ".repeat(LABEL + 2);
        for tick in ticks() {
            let label = spell(frame.moment(tick), format);
            let begin = (LABEL + 2 + tick).saturating_sub(label.len() / 2);
            let begin = begin.min(WIDTH - label.len());
            line.truncate(begin.max(LABEL));
            line = format!("{line:<begin$}{label}");
        }
        line
    };
    [row("%H:%M:%S"), row("%Y-%m-%d")]
}

/// A moment as people write it, in UTC.
pub(super) fn spell(at: Timestamp, format: &str) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.as_millis());
    moment.map_or_else(|_| "?".into(), |moment| moment.strftime(format).to_string())
}

fn legend(picture: &Picture, frame: &Frame, unit: Unit, limit: Option<f64>) -> String {
    let mut parts = vec![format!("{} floor", char::from(POINT))];
    if let Some(line) = &picture.line {
        let pace = quantity(unit, line.per_hour);
        parts.push(format!("{} trend, {pace} an hour", char::from(TREND)));
    }
    parts.push(match (frame.limit, limit) {
        (Some(limit), _) => format!("{} limit, {}", char::from(LIMIT), quantity(unit, limit)),
        (None, Some(limit)) => format!("limit, far above: {}", quantity(unit, limit)),
        (None, None) => "no limit is known".into(),
    });
    format!("{:>LABEL$}  {}", "", parts.join("   "))
}

/// What the numbers on the axis are.
fn marks(picture: &Picture) -> Vec<String> {
    let line = |(number, mark): (usize, &plimsoll_detect::Mark)| {
        let at = spell(mark.at, "%Y-%m-%d %H:%M:%S");
        clip(&format!("{:>LABEL$}  {number} {at} {}", "", mark.what), WIDTH)
    };
    (1..=9).zip(&picture.marks).map(line).collect()
}

/// A value in its unit, at most ten characters for any size of memory.
pub(super) fn quantity(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Bytes => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", Bytes(value.abs() as u64))
        }
        Unit::Count | Unit::Seconds | Unit::PerSecond if value.abs() < 100.0 => {
            format!("{value:.1}")
        }
        Unit::Count | Unit::Seconds | Unit::PerSecond => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_detect::Mark;
    use plimsoll_model::Span;

    const BEGIN: Timestamp = Timestamp::from_secs(1_780_000_000);

    fn ramp(per_step: f64) -> Picture {
        let at = |i: i64| BEGIN + Span::from_mins(10 * i);
        let value = |i: i64| 100.0 + per_step * i as f64;
        Picture {
            of: "floor of process.fds".into(),
            points: (0..=11).map(|i| (at(i), value(i))).collect(),
            line: Some(Line {
                from: at(3),
                to: at(11),
                begin: value(3),
                end: value(11),
                per_hour: 6.0 * per_step,
            }),
            marks: vec![Mark { at: at(3), what: "deploy 2.4.0".into() }],
        }
    }

    #[test]
    fn a_ramp_is_drawn_with_its_trend_its_limit_and_its_change() {
        let want = "\
floor of process.fds, count, times in UTC
        250 |=======================================================================================
            |
            |
            |                                                                             .o.......o
            |                                                                 .....o......
        175 |                                                     ..o.......o.
            |                                          .....o.....
            |                              .o.......o..
            |                       o......
            |        o       o
        100 |o
            ++----------------------1----+----------------------------+----------------------------+
           20:26:40                  21:02:28                     21:39:34                  22:16:40
           2026-05-28               2026-05-28                   2026-05-28               2026-05-28
             o floor   . trend, 60.0 an hour   = limit, 250
             1 2026-05-28 20:56:40 deploy 2.4.0
";
        assert_eq!(chart(&ramp(10.0), Unit::Count, Some(250.0)).join("\n") + "\n", want);
    }

    #[test]
    fn every_chart_fits_whatever_it_is_given() {
        let far = Mark { at: BEGIN - Span::from_hours(9), what: "x".repeat(300) };
        let mut wild = ramp(3e17);
        wild.marks = vec![far; 30];
        let level = Picture { line: None, ..ramp(0.0) };
        let falling = ramp(-50.0);
        for picture in [&wild, &level, &falling] {
            for limit in [None, Some(0.0), Some(1e15)] {
                let lines = chart(picture, Unit::Bytes, limit);
                assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:#?}");
                assert!(lines.len() <= 16 + 9, "{lines:#?}");
                assert!(lines.iter().filter(|line| line.contains('o')).count() >= 1);
            }
        }
        assert!(chart(&Picture::default(), Unit::Bytes, None).is_empty());
    }

    #[test]
    fn a_limit_far_above_is_said_and_not_drawn() {
        let lines = chart(&ramp(10.0), Unit::Count, Some(65_536.0)).join("\n");
        assert!(lines.contains("limit, far above: 65536") && !lines.contains('='), "{lines}");
    }
}
