//! Changes of the sampling, under every interleaving that loom can reach within the bound of preemptions.

use super::*;
use loom::sync::Arc;

fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(run);
}

const DENSE_PLAN: Plan = Plan::new(Sampling::EveryBlock);
const RARE_PLAN: Plan = Plan::new(Sampling::Bytes { interval: 1 << 20 });

/// One thread sets a plan while another takes a step: in force is in the end what was set, widened by the step.
#[test]
fn the_plan_in_force_is_what_was_wanted_last() {
    model(3, || {
        let control = Arc::new(Control::new());
        let other = Arc::clone(&control);
        let sets = loom::thread::spawn(move || other.set_plan(RARE_PLAN, || None));
        control.steer(&Fill::of_live(1000, 1024), || None);
        sets.join().unwrap();
        let (set, widening) = control.wanted();
        assert_eq!(set, RARE_PLAN);
        assert!(widening.steps() > 0);
        assert_eq!(control.plan(), set.widened(widening.steps()));
    });
}

/// A thread makes sampling rare and raises its floor, while another leaves a block unmarked and hands it over: it is not freed
/// unseen.
#[test]
fn an_unmarked_block_is_not_missed() {
    model(4, || {
        let shared = Arc::new((Control::new(), Pool::new(1).unwrap(), AtomicU64::new(0)));
        let (cells, _) = shared.1.acquire().unwrap();
        shared.0.set_plan(DENSE_PLAN, || Some(&shared.1));
        let other = Arc::clone(&shared);
        let leaves = loom::thread::spawn(move || {
            let (control, _, handed_over) = &*other;
            if control.may_leave_unmarked(0) {
                handed_over.store(1, Ordering::Release);
            }
        });
        let (control, pool, handed_over) = &*shared;
        control.set_plan(RARE_PLAN, || Some(pool));
        control.settle_floor(cells);
        if handed_over.load(Ordering::Acquire) == 1 {
            assert_eq!(cells.mark_floor(), 0, "its free would be missed");
        }
        leaves.join().unwrap();
    });
}

/// Sampling becomes dense while a thread raises its floor: in the end, if blocks may be left unmarked, it looks every free up.
#[test]
fn a_floor_is_not_raised_behind_the_back_of_a_change() {
    model(3, || {
        let shared = Arc::new((Control::new(), Pool::new(1).unwrap()));
        let other = Arc::clone(&shared);
        let takes = loom::thread::spawn(move || {
            let (control, pool) = &*other;
            let (cells, _) = pool.acquire().unwrap();
            control.settle_floor(cells);
        });
        let (control, pool) = &*shared;
        control.set_plan(DENSE_PLAN, || Some(pool));
        takes.join().unwrap();
        let cells = pool.iter().next().unwrap();
        assert!(control.may_leave_unmarked(0));
        assert_eq!(cells.mark_floor(), 0, "its frees would be missed");
    });
}
