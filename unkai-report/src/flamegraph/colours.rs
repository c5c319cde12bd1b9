//! Colours of boxes: one hue for each crate.

use foldhash::HashMap;
use inferno::flamegraph::color::{Color, PaletteMap, StrokeColor};

use super::lines::{Lines, name};
use crate::origin::Origin;
use crate::path::FunctionPath;
use crate::report::Report;
use crate::symbols::Function;

/// A colour for every name in `lines`.
pub(super) fn palette(report: &Report, lines: &Lines) -> PaletteMap {
    let functions = report.symbols().functions().iter();
    let known: HashMap<String, Color> = functions
        .map(|function| (name(function.short_name()), colour(function)))
        .collect();
    let mut palette = PaletteMap::default();
    // The box of the whole has no name.
    palette.insert("", WHOLE);
    for line in lines.last_to_first() {
        let stack = line.rsplit_once(' ').map_or(line, |(stack, _)| stack);
        for name in stack.split(';') {
            if palette.get(name).is_none() {
                palette.insert(name, known.get(name).copied().unwrap_or(UNKNOWN));
            }
        }
    }
    palette
}

/// The hue tells the crate, the lightness makes neighbours differ.
fn colour(function: &Function) -> Color {
    let shade = (hash(function.short_name()) % 9) as f64 / 8.0;
    let path = FunctionPath::parse(function.name());
    match path.krate() {
        Some(krate) if function.origin() == Origin::Program => {
            let hue = HUES[(hash(krate) % HUES.len() as u64) as usize];
            hsl(hue, 0.62, 0.68 + 0.12 * shade)
        }
        None if function.origin() == Origin::Program => UNKNOWN,
        _ => hsl(42.0, 0.30, 0.82 + 0.09 * shade),
    }
}

/// FNV-1a: the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn hsl(hue: f64, saturation: f64, lightness: f64) -> Color {
    let reach = saturation * lightness.min(1.0 - lightness);
    let part = |offset: f64| {
        let k = (offset + hue / 30.0) % 12.0;
        let value = lightness - reach * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (value * 255.0).round() as u8
    };
    Color {
        r: part(0.0),
        g: part(8.0),
        b: part(4.0),
    }
}

/// From orange to violet: no red, which is growth, and none near the magenta that marks what was searched for.
const HUES: [f64; 10] = [
    24.0, 54.0, 80.0, 110.0, 145.0, 172.0, 195.0, 213.0, 235.0, 262.0,
];

/// Names that are not functions: addresses, and marks for missing frames. C functions too.
const UNKNOWN: Color = Color {
    r: 205,
    g: 207,
    b: 212,
};

const WHOLE: Color = Color {
    r: 225,
    g: 227,
    b: 232,
};

pub(super) const BACKGROUND: Color = Color {
    r: 255,
    g: 255,
    b: 255,
};

/// Between boxes.
pub(super) const LINES: StrokeColor = StrokeColor::Color(BACKGROUND);

/// Between boxes of changes, most of which are white.
pub(super) const LINES_OF_CHANGES: StrokeColor = StrokeColor::Color(Color {
    r: 208,
    g: 210,
    b: 216,
});
