//! Coroutines on stacks of their own, thousands of them, each going from thread to thread.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::small;
use crate::heap::{Heap, sample_from_here_on, totals_are_exact};

const COROUTINES: usize = 1000;
const THREADS: usize = 4;
/// How often each is resumed.
const STEPS: usize = 5;

type Task = Coroutine<usize, (), usize, DefaultStack>;

/// A coroutine that goes to another thread between two steps.
struct Movable<T>(T);

// SAFETY: what the coroutine holds across a step are vectors of bytes and numbers; it uses no thread-local of its own.
unsafe impl Send for Movable<Task> {}
// SAFETY: as above.
unsafe impl Send for Movable<Teller> {}

pub(crate) fn play(heap: &'static dyn Heap) {
    let stack_size = small::enough(heap);
    let queue: Mutex<Vec<(Movable<Task>, usize)>> = Mutex::new(Vec::with_capacity(COROUTINES));
    for number in 0..COROUTINES {
        let stack = DefaultStack::new(stack_size).expect("a stack");
        let task = Coroutine::with_stack(stack, move |yielder: &Yielder<usize, ()>, first| {
            run(yielder, number, first)
        });
        queue
            .lock()
            .expect("nobody panics")
            .push((Movable(task), 0));
    }
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let queue = &queue;
            scope.spawn(move || {
                // From somewhere in the middle, so that a coroutine rarely stays with a thread.
                let take = || {
                    let mut queue = queue.lock().expect("nobody panics");
                    let middle = queue.len() * (thread + 1) / (THREADS + 2);
                    (!queue.is_empty()).then(|| queue.swap_remove(middle))
                };
                while let Some((mut task, step)) = take() {
                    match task.0.resume(step) {
                        CoroutineResult::Yield(()) => {
                            queue.lock().expect("nobody panics").push((task, step + 1));
                        }
                        CoroutineResult::Return(sum) => assert_eq!(sum, expected_sum()),
                    }
                }
            });
        }
    });
    totals_are_exact(heap, "after coroutines");
    stacks_are_taken_there(heap, stack_size);
    print_the_cost(heap, stack_size);
    panics_stay_in_a_coroutine(stack_size);
    drop(queue);
    totals_are_exact(heap, "after coroutines that panic");
}

fn expected_sum() -> usize {
    (1..STEPS).sum()
}

/// What each coroutine does: it allocates and frees in each step, and what one step has allocated is freed in the next.
#[inline(never)]
fn run(yielder: &Yielder<usize, ()>, number: usize, first: usize) -> usize {
    assert_eq!(first, 0);
    let mut kept = Vec::new();
    let mut sum = 0;
    for step in 1..STEPS {
        kept.push(allocate(number, step));
        if step.is_multiple_of(3) {
            kept.clear();
        }
        let input = yielder.suspend(());
        assert_eq!(input, step);
        sum += input;
        drop(allocate(step, number));
    }
    for block in &kept {
        assert!(block.iter().all(|&byte| byte == number as u8));
    }
    sum
}

#[inline(never)]
fn allocate(number: usize, step: usize) -> Vec<u8> {
    let mut block = black_box(vec![number as u8; 10 + step * 37 % 5000]);
    block.reserve(step % 100);
    block.shrink_to_fit();
    block
}

/// The stack of a coroutine's block begins in the coroutine's code: it leads from what allocates to the very place in the
/// coroutine's function from which that was called. So it does after the coroutine has gone to another thread.
fn stacks_are_taken_there(heap: &'static dyn Heap, stack_size: usize) {
    let stack = DefaultStack::new(stack_size).expect("a stack");
    let task = Coroutine::with_stack(stack, |yielder: &Yielder<(), Places>, ()| {
        for _ in 0..2 {
            let mut telling = Telling::default();
            // SAFETY: a function for `telling`, which is borrowed during the call.
            unsafe { unkai_scenarios_call(allocate_telling, &mut telling) };
            yielder.suspend(telling.places);
        }
    });
    let task = stack_leads_to_it(heap, Movable(task));
    thread::scope(|scope| {
        let elsewhere = scope.spawn(move || stack_leads_to_it(heap, task));
        let mut task = elsewhere.join().expect("it leads there, too");
        assert!(task.0.resume(()).as_return().is_some());
    });
}

fn stack_leads_to_it(heap: &dyn Heap, mut task: Movable<Teller>) -> Movable<Teller> {
    sample_from_here_on(heap, 1);
    let places = task.0.resume(()).as_yield().expect("it has more to do");
    let snapshot = heap.snapshot();
    let mut sites = snapshot.sites.iter();
    let site = sites.find(|site| site.live.bytes == TELLING as f64);
    let stack = &site.expect("a site of its own").stack;
    let inner = stack.windows(2).position(|pair| pair == places);
    let inner = inner.unwrap_or_else(|| panic!("{places:#x?} are not in {stack:#x?}"));
    eprintln!(
        "the coroutine's function is frame {} of {}",
        inner + 2,
        stack.len()
    );
    task
}

/// Says what a sample costs there, beside one on the thread's own stack.
fn print_the_cost(heap: &'static dyn Heap, stack_size: usize) {
    sample_from_here_on(heap, 1);
    fn nanoseconds() -> u128 {
        let start = Instant::now();
        (0..COSTS).for_each(|_| drop(black_box(vec![0_u8; 100])));
        start.elapsed().as_nanos() / COSTS
    }
    nanoseconds();
    let own = nanoseconds();
    let stack = DefaultStack::new(stack_size).expect("a stack");
    let mut task: Coroutine<(), (), u128> = Coroutine::with_stack(stack, |_, ()| {
        nanoseconds();
        nanoseconds()
    });
    let there = task.resume(()).as_return().expect("it does not yield");
    eprintln!(
        "a sample and its free take {own} ns on the thread's stack, {there} ns on a coroutine's"
    );
}

/// Samples for a mean.
const COSTS: u128 = 2000;

/// A size that nothing else allocates.
const TELLING: usize = 12_347;

/// Where `unkai_scenarios_call` called, and from where it was called itself.
type Places = [u64; 2];

type Teller = Coroutine<(), Places, (), DefaultStack>;

#[derive(Default)]
struct Telling {
    block: Vec<u8>,
    places: Places,
}

extern "C" fn allocate_telling(telling: &mut Telling, called: u64, from: u64) {
    telling.block = black_box(Vec::with_capacity(TELLING));
    telling.places = [called, from];
}

type Tell = extern "C" fn(&mut Telling, u64, u64);

// Calls the first argument with the second, and with two addresses to which calls return: of that call, and of its own. So both
// are known in any build, also where nothing has a name.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .text",
    ".globl unkai_scenarios_call",
    ".hidden unkai_scenarios_call",
    "unkai_scenarios_call:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "mov rax, rdi",
    "mov rdi, rsi",
    "lea rsi, [rip + 2f]",
    "mov rdx, [rbp + 8]",
    "call rax",
    "2:",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".popsection",
);
#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".pushsection .text",
    ".balign 4",
    ".globl unkai_scenarios_call",
    ".hidden unkai_scenarios_call",
    "unkai_scenarios_call:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-16]!",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset x29, -16",
    ".cfi_offset x30, -8",
    "mov x29, sp",
    "mov x9, x0",
    "mov x0, x1",
    "adr x1, 2f",
    "mov x2, x30",
    "blr x9",
    "2:",
    "ldp x29, x30, [sp], #16",
    ".cfi_def_cfa_offset 0",
    ".cfi_restore x29",
    ".cfi_restore x30",
    "ret",
    ".cfi_endproc",
    ".popsection",
);

#[expect(improper_ctypes, reason = "a vector by its address")]
unsafe extern "C" {
    fn unkai_scenarios_call(tell: Tell, telling: &mut Telling);
}

fn panics_stay_in_a_coroutine(stack_size: usize) {
    if cfg!(panic = "abort") {
        return;
    }
    for number in 0..20 {
        let stack = DefaultStack::new(stack_size).expect("a stack");
        let mut task = Coroutine::with_stack(stack, move |yielder: &Yielder<usize, ()>, _| {
            let blocks: Vec<_> = (1..50).map(|step| allocate(number, step)).collect();
            yielder.suspend(());
            // Not a panic with a message: that takes more of the stack than a coroutine is given.
            if !blocks.is_empty() {
                std::panic::resume_unwind(Box::new(number));
            }
            0
        });
        assert!(task.resume(0).as_yield().is_some());
        if number.is_multiple_of(2) {
            // Its stack is unwound while it waits.
            drop(task);
            continue;
        }
        let unwound = catch_unwind(AssertUnwindSafe(|| task.resume(0)));
        let payload = unwound.expect_err("it unwinds out of the coroutine");
        assert_eq!(payload.downcast_ref(), Some(&number));
    }
}
