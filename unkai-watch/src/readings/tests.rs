use unkai_core::{Amount, Scope};

use super::*;
use crate::limit::LimitKind;

const SECOND: Duration = Duration::from_secs(1);

/// What a tick reads at a second, with so many bytes allocated and freed so far.
fn readout(second: u32, allocated: u64, freed: u64) -> Readout {
    let mut totals = Totals::default();
    let amount = |bytes| Amount { bytes, blocks: 1 };
    (totals.allocated, totals.freed) = (amount(allocated), amount(freed));
    Readout {
        now: SECOND * second,
        totals,
        live: allocated - freed,
        resident: None,
        limit: None,
        largest_site: 0.0,
        process_limit: None,
    }
}

fn value(quantity: &Quantity, readout: &Readout) -> Result<f64, Unread> {
    readout.value(quantity, None)
}

#[test]
fn what_was_not_read_is_no_value_and_says_why() {
    let nothing = readout(0, 10, 4);
    assert_eq!(value(&Quantity::LiveBytes, &nothing), Ok(6.0));
    for (quantity, unread) in [
        (Quantity::ResidentBytes, Unread::Resident),
        (Quantity::ShareOfLimit, Unread::NoLimit),
        (Quantity::ShareOfProcessLimit, Unread::NoProcessLimit),
    ] {
        assert_eq!(value(&quantity, &nothing), Err(unread), "{quantity}");
        assert!(!unread.to_string().is_empty());
    }
}

#[test]
fn what_was_read_is_the_value() {
    let limit = Limit {
        kind: LimitKind::Machine,
        bytes: 200,
        used_bytes: 50,
    };
    let readout = Readout {
        resident: Some(7),
        limit: Some(limit),
        largest_site: 2.5,
        process_limit: Some(12),
        ..readout(0, 10, 4)
    };
    let scope = Scope::root("s").build().expect("it has no limit");
    let _held = scope.try_reserve(3).expect("it has no limit");
    for (quantity, expected) in [
        (Quantity::ResidentBytes, 7.0),
        (Quantity::ShareOfLimit, 0.25),
        (Quantity::LargestSiteBytes, 2.5),
        (Quantity::ScopeBytes(scope), 3.0),
        (Quantity::ShareOfProcessLimit, 0.5),
    ] {
        assert_eq!(value(&quantity, &readout), Ok(expected), "{quantity}");
    }
}

#[test]
fn growth_is_above_the_lowest_of_the_window() {
    let window = SECOND * 10;
    let quantity = Quantity::Growth { window };
    let mut window = Window::new(window);
    let steps = [
        (0, 100, 0, 0.0),
        (5, 160, 20, 40.0),
        (11, 200, 20, 40.0),
        (30, 900, 20, 0.0),
    ];
    for (second, allocated, freed, expected) in steps {
        let readout = readout(second, allocated, freed);
        assert_eq!(
            readout.value(&quantity, Some(&mut window)),
            Ok(expected),
            "{second}"
        );
    }
}

#[test]
fn a_rate_is_of_what_was_allocated_not_of_what_is_live() {
    let window = SECOND * 10;
    let quantity = Quantity::AllocationRate { window };
    let mut window = Window::new(window);
    let mut rate = |second, allocated| {
        readout(second, allocated, allocated).value(&quantity, Some(&mut window))
    };
    assert_eq!(rate(0, 0), Err(Unread::FirstWindow));
    assert_eq!(rate(9, 900), Err(Unread::FirstWindow));
    assert_eq!(rate(10, 1000), Ok(100.0));
}

#[test]
fn the_room_is_what_live_bytes_lack() {
    let readings = Readings::open(Needs::default());
    let readout = Readout {
        process_limit: Some(1000),
        ..readout(0, 100, 0)
    };
    let room =
        |quantity: &Quantity, threshold, value| readings.room(&readout, quantity, threshold, value);
    assert_eq!(room(&Quantity::LiveBytes, 150.0, 100.0), Some(50.0));
    assert_eq!(room(&Quantity::ShareOfProcessLimit, 0.75, 0.5), Some(250.0));
    let window = SECOND;
    assert_eq!(room(&Quantity::Growth { window }, 30.0, 10.0), Some(20.0));
    assert_eq!(room(&Quantity::AllocationRate { window }, 30.0, 10.0), None);
    assert_eq!(
        room(&Quantity::ShareOfLimit, 0.5, 0.1),
        Some(f64::INFINITY),
        "none was read"
    );
}
