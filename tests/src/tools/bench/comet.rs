//! Comet: memory, fan-out, private messages, a storm of reconnects; nchan beside it.
//!
//! Both servers run one after the other on this machine, with the same crowd of readers, which is
//! one thread of this program. Processor time is the server process' own (`schedstat`), so a busy
//! machine does not change it much; delays and rates it does.

mod crowd;
mod poll;
mod servers;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{Row, median};
use crowd::{Crowd, Reader};
use servers::{Nchan, Relay, Server};

/// Messages of one burst, and how often it is repeated.
const BURST: usize = 100;
const ROUNDS: usize = 3;
/// Messages of the paced run, 20 ms apart.
const PACED: usize = 150;
/// Private messages of each SQL writer.
const PRIVATE: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(30);

const GOAL_MEMORY: f64 = 3.8;
const GOAL_CPU: f64 = 10.0;

pub fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let relay = Relay::start()?;
    let ours = figures(&relay)?;
    let private = private(&relay)?;
    let storm = storm(&relay)?;
    let limit = write_call()?;
    let theirs = match Nchan::start().and_then(|nchan| figures(&nchan)) {
        Ok(figures) => figures,
        Err(why) => {
            eprintln!("nchan is not to be had here: {why:#}");
            BTreeMap::new()
        }
    };
    for (&(row, unit, better), &figure) in &ours {
        let beside = theirs
            .get(&(row, unit, better))
            .map(|&figure| ("nchan", figure));
        let mut beside: BTreeMap<_, _> = beside.into_iter().collect();
        let goal = match unit {
            "kB" => Some(GOAL_MEMORY),
            "us" => Some(GOAL_CPU),
            _ => None,
        };
        if unit == "us" {
            beside.insert("write call", limit);
        }
        let beside = beside
            .into_iter()
            .map(|(name, figure)| (name, short(figure)));
        rows.push(row_of(
            row,
            unit,
            better,
            short(figure),
            beside.collect(),
            goal,
        ));
    }
    for (row, unit, better, figure) in private.into_iter().chain(storm) {
        let beside = BTreeMap::new();
        rows.push(row_of(row, unit, better, short(figure), beside, None));
    }
    Ok(rows)
}

/// To a tenth.
fn short(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

fn row_of(
    row: &str,
    unit: &'static str,
    better: &'static str,
    ours: f64,
    beside: BTreeMap<&'static str, f64>,
    goal: Option<f64>,
) -> Row {
    Row {
        row: row.to_owned(),
        unit,
        better,
        ours,
        beside,
        goal,
    }
}

type Figures = BTreeMap<(&'static str, &'static str, &'static str), f64>;

/// What both servers are asked.
fn figures(server: &dyn Server) -> Result<Figures> {
    let mut figures = Figures::new();
    let empty = server.memory()?;
    let mut crowd = Crowd::default();
    for count in [1_000, 5_000] {
        while crowd.readers.len() < count {
            crowd.readers.push(server.subscribe(crowd.readers.len())?);
            if crowd.readers.len() % 250 == 0 {
                crowd.breathe()?;
            }
        }
        std::thread::sleep(Duration::from_secs(2));
        #[allow(clippy::cast_precision_loss)]
        let each = (server.memory()? - empty) / count as f64;
        let row = match count {
            1_000 => "memory of an idle connection, 1,000 of them",
            _ => "memory of an idle connection, 5,000 of them",
        };
        figures.insert((row, "kB", "lower"), each);
        if count == 1_000 {
            fan_out(server, &mut crowd, &mut figures)?;
        }
    }
    Ok(figures)
}

fn fan_out(server: &dyn Server, crowd: &mut Crowd, figures: &mut Figures) -> Result<()> {
    let listeners = crowd.readers.len();
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut publisher = server.publisher()?;
        let count = Cell::new(0);
        let (cpu, begun) = (server.cpu()?, Instant::now());
        for number in 0..BURST {
            publisher.publish(&format!("{{\"number\":{number}}}"))?;
        }
        let all = BURST * listeners;
        let heard =
            |_: usize, text: &str| count.set(count.get() + usize::from(text.contains("number")));
        crowd.listen(PATIENCE, &mut { heard }, &|| count.get() >= all)?;
        #[allow(clippy::cast_precision_loss)]
        let deliveries = all as f64;
        rates.push(deliveries / begun.elapsed().as_secs_f64());
        costs.push((server.cpu()? - cpu) * 1e6 / deliveries);
    }
    let row = "deliveries from one pipe to 1,000";
    figures.insert((row, "1/s", "higher"), median(rates));
    let row = "processor time of a delivery, bursts";
    figures.insert((row, "us", "lower"), median(costs));

    let delays = RefCell::new(Vec::new());
    let origin = Instant::now();
    let mut publisher = server.publisher()?;
    let cpu = server.cpu()?;
    for number in 1..=PACED {
        let due = origin + Duration::from_millis(20) * u32::try_from(number)?;
        let wanted = number * listeners;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = origin.elapsed();
        publisher.publish(&format!("{{\"number\":{number}}}"))?;
        let heard = |_: usize, text: &str| {
            if text.contains("number") {
                delays
                    .borrow_mut()
                    .push((origin.elapsed() - sent).as_secs_f64() * 1e3);
            }
        };
        crowd.listen(PATIENCE, &mut { heard }, &|| {
            delays.borrow().len() >= wanted
        })?;
    }
    let mut delays = delays.into_inner();
    #[allow(clippy::cast_precision_loss)]
    let each = (server.cpu()? - cpu) * 1e6 / delays.len() as f64;
    figures.insert(("processor time of a delivery, paced", "us", "lower"), each);
    delays.sort_by(f64::total_cmp);
    let at = |share: usize| delays[delays.len() * share / 100];
    figures.insert(("publication to reader, median", "ms", "lower"), at(50));
    figures.insert(("publication to reader, 99 %", "ms", "lower"), at(99));
    Ok(())
}

type Own = Vec<(&'static str, &'static str, &'static str, f64)>;

/// `INSERT INTO users_messages` by the `mariadb` client, one statement after the other.
fn private(relay: &Relay) -> Result<Own> {
    let mut figures = Own::new();
    for (writers, row) in [
        (1, "private messages by SQL, stored, 1 writer"),
        (4, "private messages by SQL, stored, 4 writers"),
    ] {
        let begun = Instant::now();
        let work: Vec<_> = (0..writers)
            .map(|writer| {
                let mut statements = String::new();
                for number in 0..PRIVATE {
                    let user = writer * PRIVATE + number + 1;
                    statements += &format!(
                        "INSERT INTO users_messages (id, event, message) VALUES ({user}, 'note', '{number}');\n"
                    );
                }
                relay.sql(&statements)
            })
            .collect::<Result<_>>()?;
        for mut child in work {
            ensure!(child.wait()?.success(), "mariadb failed");
        }
        #[allow(clippy::cast_precision_loss)]
        let messages = (writers * PRIVATE) as f64;
        figures.push((
            row,
            "1/s",
            "higher",
            messages / begun.elapsed().as_secs_f64(),
        ));
    }
    Ok(figures)
}

/// 5,000 readers lose their connections at the same time, miss twenty messages, and come back.
fn storm(relay: &Relay) -> Result<Own> {
    const READERS: usize = 5_000;
    const MISSED: usize = 20;
    let mut crowd = Crowd::default();
    let mut positions = Vec::new();
    for number in 0..READERS {
        let mut reader = relay.greet(number)?;
        reader.say(r#"{"do":"listen","id":1,"pipes":{"web_storm":null}}"#)?;
        let answer = reader.until("\"re\":1")?;
        let (_, rest) = answer
            .split_once("\"web_storm\":\"")
            .context("no position")?;
        positions.push(rest.split('"').next().unwrap_or_default().to_owned());
        crowd.readers.push(reader);
        if number % 250 == 0 {
            crowd.breathe()?;
        }
    }
    crowd.readers.clear();
    std::thread::sleep(Duration::from_secs(1));
    let mut publisher = relay.publisher_to("web_storm")?;
    for number in 0..MISSED {
        publisher.publish(&format!("{{\"number\":{number}}}"))?;
    }
    let (cpu, begun) = (relay.cpu()?, Instant::now());
    for (number, position) in positions.iter().enumerate() {
        let mut reader = relay.greet(number)?;
        reader.say(&format!(
            r#"{{"do":"listen","id":1,"pipes":{{"web_storm":"{position}"}}}}"#
        ))?;
        crowd.readers.push(reader);
    }
    let got = RefCell::new(vec![Vec::new(); READERS]);
    let count = Cell::new(0);
    let heard = |reader: usize, text: &str| {
        if let Some((_, number)) = text.split_once("\"number\":") {
            let number: usize = number.trim_end_matches('}').parse().unwrap_or(usize::MAX);
            got.borrow_mut()[reader].push(number);
            count.set(count.get() + 1);
        }
    };
    crowd.listen(PATIENCE, &mut { heard }, &|| {
        count.get() >= READERS * MISSED
    })?;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), relay.cpu()? - cpu);
    let whole: Vec<usize> = (0..MISSED).collect();
    let broken = got.borrow().iter().filter(|got| **got != whole).count();
    #[allow(clippy::cast_precision_loss)]
    Ok(vec![
        (
            "storm of 5,000: readers with a loss or a repetition",
            "readers",
            "lower",
            broken as f64,
        ),
        ("storm of 5,000: until all have all", "s", "lower", seconds),
        (
            "storm of 5,000: processor time of a return with 20 messages",
            "us",
            "lower",
            cpu * 1e6 / 5e3,
        ),
    ])
}

/// What the system takes for writing 130 bytes into a socket: no server delivers for less.
fn write_call() -> Result<f64> {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut out = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (mut reader, _) = listener.accept()?;
    out.set_nodelay(true)?;
    let reading = std::thread::spawn(move || {
        let mut chunk = [0; 65_536];
        while matches!(reader.read(&mut chunk), Ok(1..)) {}
    });
    let own = || servers::cpu_of_thread();
    let begun = own()?;
    const WRITES: u32 = 50_000;
    for _ in 0..WRITES {
        out.write_all(&[b'x'; 130])?;
    }
    let each = (own()? - begun) * 1e6 / f64::from(WRITES);
    drop(out);
    let _ = reading.join();
    Ok((each * 10.0).round() / 10.0)
}

/// A child with this text as its standard input.
fn fed(command: &mut Command, text: &str) -> Result<std::process::Child> {
    use std::io::Write as _;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start mariadb")?;
    let mut input = child.stdin.take().context("no input")?;
    let text = text.to_owned();
    std::thread::spawn(move || input.write_all(text.as_bytes()));
    Ok(child)
}

/// Publishes over a connection that stays.
pub trait Publish {
    fn publish(&mut self, body: &str) -> Result<()>;
}

/// Publishes by our own wire.
struct ByFrame(Reader, String, u32);

impl Publish for ByFrame {
    fn publish(&mut self, body: &str) -> Result<()> {
        let Self(reader, pipe, number) = self;
        *number += 1;
        reader.say(&format!(
            r#"{{"do":"publish","id":{number},"pipe":"{pipe}","event":"n","data":{body}}}"#
        ))?;
        let answer = reader.until(&format!("\"re\":{number},"))?;
        ensure!(!answer.contains("error"), "not published: {answer}");
        Ok(())
    }
}
