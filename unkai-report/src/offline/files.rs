//! Finds the files that fit a module.

use std::path::{Path, PathBuf};

use super::image::Image;
use super::{Reason, Refused, file_name};
use crate::modules::Module;

/// The given files that fit some module.
pub(super) struct Files {
    given: Vec<Image>,
}

impl Files {
    /// Reads the headers of `files`; notes those that fit none of `modules`.
    pub(super) fn open(files: &[PathBuf], modules: &[Module], refused: &mut Vec<Refused>) -> Self {
        let mut given = Vec::new();
        for file in files {
            match Image::read(file).and_then(|image| check(image, modules)) {
                Ok(image) => given.push(image),
                Err(reason) => refused.push(Refused {
                    file: file.clone(),
                    reason,
                }),
            }
        }
        Self { given }
    }

    /// The files that fit `module`, those that tell the most first.
    pub(super) fn of(&self, module: &Module, search: bool) -> Vec<Image> {
        let given = self.given.iter().filter(|image| fits(image, module, true));
        let mut images: Vec<Image> = given.cloned().collect();
        if search {
            let own = Path::new(&module.path);
            let mut found = vec![own.to_owned()];
            found.extend(module.build_id_text().and_then(|id| by_build_id(&id)));
            let own = Image::read(own).ok().filter(|own| fits(own, module, false));
            let with_link = images.iter().chain(&own);
            let linked: Vec<PathBuf> = with_link.flat_map(by_debug_link).collect();
            found.extend(linked);
            let found = found.iter().filter_map(|path| Image::read(path).ok());
            // Without a build id nothing but the path tells that a file belongs to the module.
            images.extend(found.filter(|image| fits(image, module, false)));
        }
        images.sort_by_key(Image::by_content);
        images
    }
}

fn check(image: Image, modules: &[Module]) -> Result<Image, Reason> {
    if modules.iter().any(|module| fits(&image, module, true)) {
        return Ok(image);
    }
    let text = |id: &Option<Vec<u8>>| {
        let mut module = Module::new(0, 0, 0, "");
        module.build_id.clone_from(id);
        module.build_id_text()
    };
    let name = file_name(image.path());
    let namesake = modules
        .iter()
        .find(|module| file_name(Path::new(&module.path)) == name);
    Err(match namesake {
        Some(module) => Reason::OtherBuild {
            found: text(&image.build_id),
            expected: module.build_id_text(),
        },
        None => Reason::NoModule,
    })
}

/// Whether `image` is of the build of `module`. Where neither has a build id, it must have its name if `by_name`.
fn fits(image: &Image, module: &Module, by_name: bool) -> bool {
    image.build_id == module.build_id
        && (module.build_id.is_some()
            || !by_name
            || file_name(image.path()) == file_name(Path::new(&module.path)))
}

/// Where systems keep separate debug information.
fn by_build_id(id: &str) -> Option<PathBuf> {
    let (folder, name) = id.split_at_checked(2)?;
    Some(Path::new(DEBUG_FOLDER).join(format!(".build-id/{folder}/{name}.debug")))
}

/// Where debuggers look for the file that a debug link names.
fn by_debug_link(image: &Image) -> Vec<PathBuf> {
    let (Some(link), Some(folder)) = (&image.debug_link, image.path().parent()) else {
        return Vec::new();
    };
    // A link is the name of a file; a path could lead anywhere.
    let Some(name) = file_name(link) else {
        return Vec::new();
    };
    let below_debug = folder
        .strip_prefix("/")
        .map(|folder| Path::new(DEBUG_FOLDER).join(folder));
    [folder.join(name), folder.join(".debug").join(name)]
        .into_iter()
        .chain(below_debug.ok().map(|folder| folder.join(name)))
        .collect()
}

const DEBUG_FOLDER: &str = "/usr/lib/debug";
