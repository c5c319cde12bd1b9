//! Every format in the real program that people open it with.
//!
//! `ci/viewers.sh` installs the viewers and runs these. Where one is not installed, its tests are counted as ignored, and
//! say why.

mod dhat;
mod flamegraph;
mod html;
#[path = "../support/openmetrics.rs"]
mod openmetrics;
mod pprof;
mod prometheus;
#[path = "../support/real_prometheus.rs"]
mod real_prometheus;
#[path = "../support/samples.rs"]
mod samples;
mod speedscope;
mod tool;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let tests = [
        dhat::tests(),
        flamegraph::tests(),
        html::tests(),
        pprof::tests(),
        prometheus::tests(),
        speedscope::tests(),
    ];
    let tests = tests.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
