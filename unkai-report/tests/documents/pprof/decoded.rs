//! A profile that was read back, checked for what readers rely on, and as text.

use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};
use std::io::Read;

use flate2::read::GzDecoder;
use prost::Message;

use super::proto::{Label, Location, Profile, Sample, ValueType};

pub(crate) struct Decoded(pub(crate) Profile);

pub(crate) fn unpacked(compressed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(compressed)
        .read_to_end(&mut plain)
        .expect("it is in gzip");
    plain
}

impl Decoded {
    /// Reads a compressed profile. Every reference in it must lead somewhere, and every id be one more than the last.
    pub(crate) fn of(compressed: &[u8]) -> Self {
        let profile = Profile::decode(&unpacked(compressed)[..]).expect("it is a profile");
        assert_eq!(profile.string_table[0], "");
        let distinct: HashSet<&String> = profile.string_table.iter().collect();
        assert_eq!(distinct.len(), profile.string_table.len());
        for (id, mapping) in (1..).zip(&profile.mapping) {
            assert_eq!(mapping.id, id);
        }
        for (id, function) in (1..).zip(&profile.function) {
            assert_eq!(function.id, id);
            assert_ne!(function.name, 0);
        }
        for (id, location) in (1..).zip(&profile.location) {
            assert_eq!(location.id, id);
            if let Some(mapping) = location.mapping_id.checked_sub(1) {
                let mapping = &profile.mapping[mapping as usize];
                assert!((mapping.memory_start..mapping.memory_limit).contains(&location.address));
            }
            for line in &location.line {
                assert!((1..=profile.function.len() as u64).contains(&line.function_id));
            }
        }
        for sample in &profile.sample {
            assert_eq!(sample.value.len(), profile.sample_type.len());
            assert!(!sample.location_id.is_empty());
            for id in &sample.location_id {
                assert!((1..=profile.location.len() as u64).contains(id));
            }
        }
        Self(profile)
    }

    pub(crate) fn string(&self, index: i64) -> &str {
        &self.0.string_table[index as usize]
    }

    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        self.0.function.iter().map(|it| self.string(it.name))
    }

    /// The sums of all values.
    pub(crate) fn totals(&self) -> Vec<i64> {
        let mut totals = vec![0; self.0.sample_type.len()];
        for sample in &self.0.sample {
            for (total, value) in totals.iter_mut().zip(&sample.value) {
                *total += value;
            }
        }
        totals
    }

    /// Live bytes of all stacks with a function of this name.
    pub(crate) fn live_bytes_of(&self, name: &str) -> i64 {
        let calls = |sample: &&Sample| {
            self.locations(sample)
                .flat_map(|location| &location.line)
                .any(|line| {
                    let function = &self.0.function[line.function_id as usize - 1];
                    self.string(function.name) == name
                })
        };
        let samples = self.0.sample.iter().filter(calls);
        samples.map(|sample| sample.value[3]).sum()
    }

    /// All stacks, innermost first.
    pub(crate) fn stacks(&self) -> Vec<Vec<String>> {
        let stack = |sample| {
            self.locations(sample)
                .map(|location| self.location(location))
                .collect()
        };
        self.0.sample.iter().map(stack).collect()
    }

    pub(crate) fn addresses(&self, sample: &Sample) -> Vec<u64> {
        self.locations(sample)
            .map(|location| location.address)
            .collect()
    }

    /// `0x10 inlined:1 < function:2`
    pub(crate) fn location(&self, location: &Location) -> String {
        let lines = location.line.iter().map(|line| {
            let function = &self.0.function[line.function_id as usize - 1];
            let name = self.string(function.name);
            match line.line {
                0 => name.to_owned(),
                line => format!("{name}:{line}"),
            }
        });
        let lines: Vec<String> = lines.collect();
        format!("{:#x} {}", location.address, lines.join(" < "))
    }

    fn locations(&self, sample: &Sample) -> impl Iterator<Item = &Location> {
        let ids = sample.location_id.clone();
        ids.into_iter().map(|id| &self.0.location[id as usize - 1])
    }

    fn value_type(&self, value_type: &ValueType) -> String {
        format!(
            "{}/{}",
            self.string(value_type.r#type),
            self.string(value_type.unit)
        )
    }

    fn label(&self, label: &Label) -> String {
        let key = self.string(label.key);
        match label.str {
            0 => format!("{key}={} {}", label.num, self.string(label.num_unit)),
            text => format!("{key}={:?}", self.string(text)),
        }
    }
}

impl Display for Decoded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let profile = &self.0;
        let types = profile.sample_type.iter().map(|it| self.value_type(it));
        let types: Vec<String> = types.collect();
        writeln!(f, "sample types: {}", types.join(" "))?;
        writeln!(f, "default: {}", self.string(profile.default_sample_type))?;
        let period_type = profile.period_type.expect("it is always there");
        let period_type = self.value_type(&period_type);
        writeln!(f, "period: {} of {period_type}", profile.period)?;
        writeln!(
            f,
            "time: {} ns, duration: {} ns",
            profile.time_nanos, profile.duration_nanos
        )?;
        writeln!(f, "drop frames: {:?}", self.string(profile.drop_frames))?;
        for comment in &profile.comment {
            writeln!(f, "comment: {}", self.string(*comment))?;
        }
        for mapping in &profile.mapping {
            let has = [
                (mapping.has_functions, "functions"),
                (mapping.has_filenames, "filenames"),
                (mapping.has_line_numbers, "line numbers"),
                (mapping.has_inline_frames, "inline frames"),
            ];
            let has = has.iter().filter(|(has, _)| *has).map(|(_, what)| *what);
            writeln!(
                f,
                "mapping {}: {:#x} to {:#x} from {:#x} of {:?}, build id {:?}, has [{}]",
                mapping.id,
                mapping.memory_start,
                mapping.memory_limit,
                mapping.file_offset,
                self.string(mapping.filename),
                self.string(mapping.build_id),
                has.collect::<Vec<_>>().join(", ")
            )?;
        }
        for function in &profile.function {
            writeln!(
                f,
                "function {}: {:?}, system name {:?}, file {:?}",
                function.id,
                self.string(function.name),
                self.string(function.system_name),
                self.string(function.filename)
            )?;
        }
        for location in &profile.location {
            let (id, mapping) = (location.id, location.mapping_id);
            writeln!(
                f,
                "location {id}: mapping {mapping}, {}",
                self.location(location)
            )?;
        }
        for sample in &profile.sample {
            let labels = sample.label.iter().map(|label| self.label(label));
            let labels: Vec<String> = labels.collect();
            writeln!(
                f,
                "sample: {:?} at {:?}, {}",
                sample.value,
                sample.location_id,
                labels.join(", ")
            )?;
        }
        Ok(())
    }
}
