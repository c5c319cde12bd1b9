//! Sites that look like leaks.

use std::io;

use super::Options;
use super::layout::{error, fit, fit_place, heading, paragraph};
use crate::leaks::{self, Suspect};
use crate::report::Report;
use crate::sites::SiteGroup;
use crate::units::{bytes, count, duration, plural};

/// The section, if there is a suspect, or a history that says that there is none.
pub(super) fn write_found(
    report: &Report,
    groups: &[SiteGroup],
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let suspects = leaks::among(groups, report, options.earlier);
    if suspects.is_empty() && options.earlier.is_empty() {
        return Ok(());
    }
    write_section(report, &suspects, options, out)
}

/// The section, whatever there is.
pub(super) fn write(
    report: &Report,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let suspects = leaks::suspects(report, options.earlier);
    write_section(report, &suspects, options, out)
}

fn write_section(
    report: &Report,
    suspects: &[Suspect],
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    heading("Leak suspects", options, out)?;
    let basis = leaks::basis(report, options.earlier);
    paragraph("  ", &basis, options.width, out)?;
    if suspects.is_empty() {
        return writeln!(out, "  No site looks like a leak.");
    }
    writeln!(out)?;
    let (shown, rest) = suspects.split_at(suspects.len().min(options.top_sites));
    write_suspects(shown, options, out)?;
    if !rest.is_empty() {
        writeln!(
            out,
            "\n     ({} more)",
            plural(rest.len() as u64, "suspect")
        )?;
    }
    Ok(())
}

fn write_suspects(
    suspects: &[Suspect],
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for (number, suspect) in (1..).zip(suspects) {
        let lead = format!("{number:>3}. ");
        let room = options.width - INDENT.len();
        if number > 1 {
            writeln!(out)?;
        }
        match &suspect.via {
            Some(via) => paragraph(
                &lead,
                &format!("{} (via {})", fit(&suspect.name, room), fit(via, room - 6)),
                options.width,
                out,
            )?,
            None => writeln!(out, "{lead}{}", fit(&suspect.name, room))?,
        }
        if let Some(place) = &suspect.place {
            writeln!(out, "{INDENT}{}", fit_place(place, room))?;
        }
        paragraph(INDENT, &live(suspect), options.width, out)?;
        paragraph(INDENT, &suspect.reason, options.width, out)?;
    }
    Ok(())
}

/// `18.5 MiB (± 5.96 MiB) live in 9,491 blocks at 2 call stacks, half of them older than 4.6 min`
fn live(suspect: &Suspect) -> String {
    let live = &suspect.live;
    let stacks = match suspect.site_ids.len() {
        0 | 1 => String::new(),
        stacks => format!(" at {}", plural(stacks as u64, "call stack")),
    };
    let age = match suspect.median_age {
        Some(age) => format!(", half of them older than {}", duration(age)),
        None => String::new(),
    };
    format!(
        "{} ({}) live in {} blocks{stacks}{age}.",
        bytes(live.bytes),
        error(live),
        count(live.blocks)
    )
}

/// As wide as the number in front of a name.
const INDENT: &str = "     ";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use unkai_core::Estimate;

    use super::*;

    #[test]
    fn a_suspect_has_a_name_a_place_its_size_and_a_reason() {
        let suspect = Suspect {
            name: "search::cache::Cache::put".to_owned(),
            via: Some("slice::to_vec".to_owned()),
            place: Some("src/cache.rs:64".to_owned()),
            site_ids: vec![6, 7],
            live: Estimate {
                samples: 37,
                bytes: 2048.0 * 9491.0,
                blocks: 9491.0,
                bytes_variance: 1e12,
                blocks_variance: 0.0,
            },
            median_age: Some(Duration::from_secs(274)),
            growth: None,
            reason: "Its blocks are older than those of any other site, and none was freed within the last hour."
                .to_owned(),
        };
        let plain = Suspect {
            via: None,
            place: None,
            site_ids: vec![8],
            median_age: None,
            ..suspect.clone()
        };
        let mut out = Vec::new();
        let options = Options::new().width(80);
        write_suspects(&[suspect, plain], &options, &mut out).expect("a Vec takes it");
        let expected = "\
\x20 1. search::cache::Cache::put (via slice::to_vec)
     src/cache.rs:64
     18.5 MiB (± 1.87 MiB) live in 9,491 blocks at 2 call stacks, half of them
     older than 4 min 34 s.
     Its blocks are older than those of any other site, and none was freed
     within the last hour.

  2. search::cache::Cache::put
     18.5 MiB (± 1.87 MiB) live in 9,491 blocks.
     Its blocks are older than those of any other site, and none was freed
     within the last hour.
";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
