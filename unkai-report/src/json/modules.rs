//! Modules, to and from the wire.

use super::error::ReadError;
use super::wire::Module;
use crate::modules::{self as known, Modules};

pub(super) fn modules(modules: &Modules) -> Vec<Module> {
    let module = |module: &known::Module| Module {
        start: module.start,
        end: module.end,
        file_offset: module.file_offset,
        path: module.path.clone(),
        build_id: module.build_id_text(),
    };
    modules.list().iter().map(module).collect()
}

pub(super) fn read_modules(modules: &[Module]) -> Result<Modules, ReadError> {
    let read = modules.iter().enumerate().map(|(at, module)| {
        let (start, end, offset) = (module.start, module.end, module.file_offset);
        let mut read = known::Module::new(start, end, offset, &module.path);
        let build_id = module.build_id.as_deref().map(read_bytes);
        read.build_id = build_id.map(|bytes| bytes.ok_or(at)).transpose()?;
        Ok(read)
    });
    read.collect::<Result<Modules, usize>>().map_err(|at| {
        let position = format!("modules[{at}].build_id");
        ReadError::malformed(position, "not pairs of hexadecimal digits")
    })
}

fn read_bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| Some(digit.to_digit(16)? as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}
