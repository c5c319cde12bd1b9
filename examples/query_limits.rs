//! One query of many takes all the memory it can get. How is it stopped, and only it?
//!
//! A server answers queries of two tenants on threads. Each query takes its memory through scopes of a tree, in which every
//! level may have a limit:
//!
//! ```text
//! process ─┬─ tables
//!          └─ tenant ─── query ─── hash table, rows
//!          64 MiB        8 MiB
//! ```
//!
//! In one of them the condition of a join was forgotten, and it goes for 4 billion rows. It is refused, with the reason;
//! all others finish, with right answers.
//!
//! ```text
//! cargo run --release --example query_limits
//! ```
#![cfg_attr(feature = "nightly", feature(allocator_api))]

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Barrier;
use std::thread;

#[cfg(not(feature = "nightly"))]
use hashbrown::{DefaultHashBuilder, HashMap};
// With the feature `nightly`, std's own collections take the handle.
#[cfg(feature = "nightly")]
use std::{collections::HashMap, hash::RandomState as DefaultHashBuilder};

use unkai::api::{Global, Vec as VecIn};
use unkai::report::scopes::text;
use unkai::report::units;
use unkai::{Bounds, Refusal, Scope, TreeSnapshot, Unkai, UnkaiGlobal, last_refusal};

/// Rows and hash tables that know which scope they are charged to.
type Rows<T> = VecIn<T, UnkaiGlobal>;
type Table = HashMap<u32, u64, DefaultHashBuilder, UnkaiGlobal>;
type Answer = Rows<(u32, u64)>;
type Expected = Vec<(u32, u64)>;

fn main() -> Result<(), Box<dyn Error>> {
    let process = Scope::root("process").limit(64 << 20).build()?;
    let tenants = [
        process.child("acme").limit(24 << 20).build()?,
        process.child("globex").limit(24 << 20).build()?,
    ];
    let tables = Tables::load(&process)?;
    println!(
        "{} orders of {} customers are loaded.",
        tables.orders.len(),
        tables.customers.len()
    );

    let runs = run_at_the_same_time(&tenants, &tables)?;
    println!("{} queries ran at the same time:\n", runs.len());
    let stopped = check(&runs, &tables)?;
    println!("\nWhy it was refused:\n");
    explain(&stopped.refusal);
    println!("\nAll scopes at that moment:\n");
    text::write(&stopped.tree, &text::Options::new(), &mut io::stdout())?;

    let scopes: Vec<Scope> = runs.into_iter().map(|run| run.scope).collect();
    drop(tables);
    println!("\nAll scopes when everything is done:\n");
    let tree = process.snapshot(Bounds::new());
    text::write(&tree, &text::Options::new(), &mut io::stdout())?;
    for scope in scopes.into_iter().chain(tenants).chain([process]) {
        scope.close()?; // an error if it still held a byte
    }
    println!("\nEvery scope is closed, and none has leaked.");
    Ok(())
}

/// What a query does: fills a hash table, then makes its answer with it.
struct Query {
    tenant: usize,
    name: &'static str,
    build: fn(&Tables, &UnkaiGlobal) -> Result<Table, Stopped>,
    answer: fn(&Tables, &Table, &UnkaiGlobal) -> Result<Answer, Stopped>,
    /// The same answer by other means. None: it is expected to be refused.
    expected: Option<fn(&Tables) -> Expected>,
}

static QUERIES: [Query; 5] = [
    Query {
        tenant: 0,
        name: "revenue by country",
        build: country_by_customer,
        answer: revenue_by_country,
        expected: Some(|tables| {
            let country = |order: &Order| tables.customers[order.customer as usize].country;
            let revenue = |country_asked| {
                let orders = tables.orders.iter();
                let there = orders.filter(|order| country(order) == country_asked);
                there.map(|order| u64::from(order.cents)).sum()
            };
            (0..COUNTRIES)
                .map(|asked| (asked, revenue(asked)))
                .collect()
        }),
    },
    Query {
        tenant: 0,
        name: "best customers",
        build: revenue_by_customer,
        answer: ten_largest,
        expected: Some(|tables| {
            let mut sums = vec![0; tables.customers.len()];
            for order in &tables.orders {
                sums[order.customer as usize] += u64::from(order.cents);
            }
            let mut ranked: Vec<(u32, u64)> = (0..).zip(sums).collect();
            ranked.sort_by_key(|&(customer, cents)| (std::cmp::Reverse(cents), customer));
            ranked.truncate(10);
            ranked
        }),
    },
    Query {
        tenant: 1,
        name: "orders by product",
        build: orders_by_product,
        answer: sorted,
        expected: Some(|tables| {
            let orders = |product| {
                let orders = tables.orders.iter();
                orders.filter(|order| order.product == product).count() as u64
            };
            (0..PRODUCTS).map(|asked| (asked, orders(asked))).collect()
        }),
    },
    Query {
        tenant: 1,
        name: "idle customers",
        build: revenue_by_customer,
        answer: without_orders,
        expected: Some(|tables| {
            let mut idle = vec![true; tables.customers.len()];
            for order in &tables.orders {
                idle[order.customer as usize] = false;
            }
            let customers = tables.customers.iter();
            customers
                .filter(|customer| idle[customer.id as usize])
                .map(|customer| (customer.id, 0))
                .collect()
        }),
    },
    Query {
        tenant: 1,
        name: "orders by country",
        build: country_by_customer,
        answer: orders_joined_without_condition,
        expected: None,
    },
];

fn country_by_customer(tables: &Tables, memory: &UnkaiGlobal) -> Result<Table, Stopped> {
    let mut countries = Table::new_in(part(memory, "hash table"));
    for customer in &tables.customers {
        *entry(memory, &mut countries, customer.id)? = u64::from(customer.country);
    }
    Ok(countries)
}

fn revenue_by_customer(tables: &Tables, memory: &UnkaiGlobal) -> Result<Table, Stopped> {
    let mut sums = Table::new_in(part(memory, "hash table"));
    for order in &tables.orders {
        *entry(memory, &mut sums, order.customer)? += u64::from(order.cents);
    }
    Ok(sums)
}

fn orders_by_product(tables: &Tables, memory: &UnkaiGlobal) -> Result<Table, Stopped> {
    let mut counts = Table::new_in(part(memory, "hash table"));
    for order in &tables.orders {
        *entry(memory, &mut counts, order.product)? += 1;
    }
    Ok(counts)
}

fn revenue_by_country(
    tables: &Tables,
    countries: &Table,
    memory: &UnkaiGlobal,
) -> Result<Answer, Stopped> {
    let mut sums = Table::new_in(part(memory, "groups"));
    for order in &tables.orders {
        let country = countries[&order.customer] as u32;
        *entry(memory, &mut sums, country)? += u64::from(order.cents);
    }
    sorted(tables, &sums, memory)
}

fn sorted(_: &Tables, groups: &Table, memory: &UnkaiGlobal) -> Result<Answer, Stopped> {
    let mut rows = Rows::new_in(part(memory, "rows"));
    for (&key, &sum) in groups {
        push(memory, &mut rows, (key, sum))?;
    }
    rows.sort_unstable();
    Ok(rows)
}

fn ten_largest(tables: &Tables, sums: &Table, memory: &UnkaiGlobal) -> Result<Answer, Stopped> {
    let mut rows = sorted(tables, sums, memory)?;
    rows.sort_unstable_by_key(|&(customer, cents)| (std::cmp::Reverse(cents), customer));
    rows.truncate(10);
    rows.shrink_to_fit();
    Ok(rows)
}

fn without_orders(
    tables: &Tables,
    revenue: &Table,
    memory: &UnkaiGlobal,
) -> Result<Answer, Stopped> {
    let mut rows = Rows::new_in(part(memory, "rows"));
    for customer in &tables.customers {
        if !revenue.contains_key(&customer.id) {
            push(memory, &mut rows, (customer.id, 0))?;
        }
    }
    Ok(rows)
}

/// The mistake: each order meets each customer, not only the one whose order it is.
fn orders_joined_without_condition(
    tables: &Tables,
    countries: &Table,
    memory: &UnkaiGlobal,
) -> Result<Answer, Stopped> {
    let mut rows = Rows::new_in(part(memory, "joined rows"));
    for order in &tables.orders {
        for &country in countries.values() {
            push(memory, &mut rows, (country as u32, order.cents.into()))?;
        }
    }
    Ok(rows)
}

/// A scope of its own for one part of a query.
fn part(memory: &UnkaiGlobal, name: &str) -> UnkaiGlobal {
    let part = memory.child(name);
    part.expect("not too deep, and it asks for no guarantee")
}

/// Appends a row if there is memory for it: `push` alone would end the process if there were not.
fn push<T>(memory: &UnkaiGlobal, rows: &mut Rows<T>, row: T) -> Result<(), Stopped> {
    if rows.try_reserve(1).is_err() {
        return Err(Stopped::at(memory));
    }
    rows.push(row);
    Ok(())
}

/// The value of a key, 0 if it is new, if there is memory for it.
fn entry<'t>(memory: &UnkaiGlobal, table: &'t mut Table, key: u32) -> Result<&'t mut u64, Stopped> {
    if table.try_reserve(1).is_err() {
        return Err(Stopped::at(memory));
    }
    Ok(table.entry(key).or_insert(0))
}

/// A query had to end: the reason, and how all scopes stood at that moment.
#[derive(Clone, Debug)]
struct Stopped {
    refusal: Refusal,
    tree: TreeSnapshot,
}

impl Stopped {
    /// Called before the query lets go of anything.
    fn at(memory: &UnkaiGlobal) -> Self {
        let upwards = std::iter::successors(Some(memory.scope().clone()), Scope::parent);
        Self {
            refusal: last_refusal().expect("a limit refused, as the heap has enough"),
            tree: upwards.last().unwrap().snapshot(Bounds::new()),
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl Error for Stopped {}

/// A query that has ended, with the scope that it ran in.
struct Run {
    query: &'static Query,
    scope: Scope,
    result: Result<Answer, Stopped>,
}

/// Each query on a thread, in a scope of 8 MiB below its tenant's.
fn run_at_the_same_time(tenants: &[Scope], tables: &Tables) -> Result<Vec<Run>, Box<dyn Error>> {
    let mut scopes = Vec::new();
    for query in &QUERIES {
        let tenant = &tenants[query.tenant];
        scopes.push(tenant.child(query.name).limit(8 << 20).build()?);
    }
    let all = &Barrier::new(QUERIES.len());
    thread::scope(|threads| {
        let run = |(query, scope)| threads.spawn(move || run(query, scope, tables, all));
        let threads: Vec<_> = QUERIES.iter().zip(scopes).map(run).collect();
        let runs = threads.into_iter().map(|thread| thread.join());
        let runs: Result<_, _> = runs.collect();
        runs.map_err(|_| "a query panicked".into())
    })
}

fn run(query: &'static Query, scope: Scope, tables: &Tables, all: &Barrier) -> Run {
    let memory = Unkai::in_scope(Global, &scope);
    let table = (query.build)(tables, &memory);
    // From here on all hold their hash tables, until the last of them has its answer.
    all.wait();
    let result = match &table {
        Ok(table) => (query.answer)(tables, table, &memory),
        Err(stopped) => Err(stopped.clone()),
    };
    all.wait();
    Run {
        query,
        scope,
        result,
    }
}

/// Compares all answers with those found by other means. Returns why one query was refused.
fn check<'r>(runs: &'r [Run], tables: &Tables) -> Result<&'r Stopped, Box<dyn Error>> {
    let mut why = None;
    for run in runs {
        let Run {
            query,
            scope,
            result,
        } = run;
        let (path, peak) = (scope.path(), bytes(scope.peak()));
        match (result, query.expected) {
            (Ok(rows), Some(expected)) if rows[..] == expected(tables)[..] => {
                println!(
                    "  {path:<34}{:>6} rows, right    peak {peak:>9}",
                    rows.len()
                );
            }
            (Err(stopped), None) if stopped.refusal.path() == path => {
                println!("  {path:<34}    refused          peak {peak:>9}");
                why = Some(stopped);
            }
            (Ok(_), _) => return Err(format!("{path}: a wrong answer").into()),
            (Err(stopped), _) => return Err(format!("{path}: {stopped}").into()),
        }
    }
    why.ok_or_else(|| "nobody was refused".into())
}

fn bytes(bytes: usize) -> String {
    units::bytes(bytes as f64)
}

fn explain(refusal: &Refusal) {
    let limit = refusal.limit().map_or("none".to_owned(), bytes);
    println!("  no room in     {}", refusal.path());
    println!("  asked by       {}", refusal.asked_by());
    println!("  limit          {limit:>9}");
    println!("  in use         {:>9}", bytes(refusal.used()));
    println!("  asked for      {:>9} more", bytes(refusal.requested()));
    for (n, consumer) in refusal.largest().enumerate() {
        let lead = if n == 0 { "held by" } else { "" };
        let (held, name) = (bytes(consumer.reserved()), consumer.name());
        println!("  {lead:<15}{held:>9}  {name}");
    }
}

/// What the server keeps in memory for all queries.
struct Tables {
    customers: Rows<Customer>,
    orders: Rows<Order>,
}

struct Customer {
    id: u32,
    country: u32,
}

struct Order {
    customer: u32,
    product: u32,
    cents: u32,
}

const COUNTRIES: u32 = 12;
const PRODUCTS: u32 = 300;

impl Tables {
    /// Made-up data, the same in each run.
    fn load(process: &Scope) -> Result<Self, Box<dyn Error>> {
        let scope = process.child("tables").build()?;
        let memory = Unkai::in_scope(Global, &scope);
        let mut state = 0x9E37_79B9_u32;
        let mut random = |below: u32| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            ((u64::from(state) * u64::from(below)) >> 32) as u32
        };
        let mut customers = Rows::new_in(memory.clone());
        for id in 0..20_000 {
            let country = random(COUNTRIES);
            push(&memory, &mut customers, Customer { id, country })?;
        }
        let mut orders = Rows::new_in(memory.clone());
        for _ in 0..200_000 {
            let order = Order {
                // Some have many orders, and some have none.
                customer: random(20_000).min(random(20_000)),
                product: random(PRODUCTS),
                cents: 100 + random(50_000),
            };
            push(&memory, &mut orders, order)?;
        }
        customers.shrink_to_fit();
        orders.shrink_to_fit();
        Ok(Self { customers, orders })
    }
}

// Output (what the queries hold at the moment of the refusal depends on how far they have come):
//
// 200000 orders of 20000 customers are loaded.
// 5 queries ran at the same time:
//
//   process/acme/revenue by country       12 rows, right    peak   816 KiB
//   process/acme/best customers           10 rows, right    peak  1.03 MiB
//   process/globex/orders by product     300 rows, right    peak  16.5 KiB
//   process/globex/idle customers        972 rows, right    peak   816 KiB
//   process/globex/orders by country      refused          peak  4.53 MiB
//
// Why it was refused:
//
//   no room in     process/globex/orders by country
//   asked by       process/globex/orders by country/joined rows
//   limit           8.00 MiB
//   in use          4.53 MiB
//   asked for       4.00 MiB more
//   held by         4.00 MiB  joined rows
//                    544 KiB  hash table
//
// All scopes at that moment:
//
// unkai scopes
//   19 scopes
//   Each line includes the scopes below it.
//
//       used     limit     full            peak  blocks  scope
//   9.10 MiB  64.0 MiB   14.2 % ▊      9.10 MiB      12  process
//   5.09 MiB  24.0 MiB   21.2 % █      5.09 MiB       6  ├─ globex
//   4.53 MiB  8.00 MiB   56.6 % ██▉    4.53 MiB       2  │  ├─ orders by country  · refused once
//   4.00 MiB                           4.00 MiB       1  │  │  ├─ joined rows
//    544 KiB                            816 KiB       1  │  │  └─ hash table
//    560 KiB  8.00 MiB    6.8 % ▍       816 KiB       2  │  ├─ idle customers
//    544 KiB                            816 KiB       1  │  │  ├─ hash table
//   16.0 KiB                           16.0 KiB       1  │  │  └─ rows
//   16.5 KiB  8.00 MiB    0.2 % ▏      16.5 KiB       2  │  └─ orders by product
//   8.52 KiB                           12.8 KiB       1  │     ├─ hash table
//   8.00 KiB                           8.00 KiB       1  │     └─ rows
//   2.44 MiB                           3.25 MiB       2  ├─ tables
//   1.56 MiB  24.0 MiB    6.5 % ▍      1.56 MiB       4  └─ acme
//   1.03 MiB  8.00 MiB   12.9 % ▋      1.03 MiB       2     ├─ best customers
//    544 KiB                            816 KiB       1     │  ├─ hash table
//    512 KiB                            512 KiB       1     │  └─ rows
//    544 KiB  8.00 MiB    6.6 % ▍       816 KiB       2     └─ revenue by country
//    544 KiB                            816 KiB       1        ├─ hash table
//      288 B                              440 B       1        └─ groups
//
// All scopes when everything is done:
//
// unkai scopes
//   8 scopes
//   Each line includes the scopes below it.
//
//       used     limit     full            peak  blocks  scope
//        0 B  64.0 MiB    0.0 %        9.10 MiB       0  process
//        0 B  24.0 MiB    0.0 %        5.09 MiB       0  ├─ globex
//        0 B  8.00 MiB    0.0 %        4.53 MiB       0  │  ├─ orders by country  · refused once
//        0 B  8.00 MiB    0.0 %         816 KiB       0  │  ├─ idle customers
//        0 B  8.00 MiB    0.0 %        16.5 KiB       0  │  └─ orders by product
//        0 B  24.0 MiB    0.0 %        1.56 MiB       0  └─ acme
//        0 B  8.00 MiB    0.0 %        1.03 MiB       0     ├─ best customers
//        0 B  8.00 MiB    0.0 %         816 KiB       0     └─ revenue by country
//
// Every scope is closed, and none has leaked.
