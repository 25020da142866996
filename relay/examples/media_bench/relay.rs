//! The relay under test: a child process that joins whoever offers, and what it costs.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
};

use clinicall_relay::media::{Config, Media};
use clinicall_sip::sdp::Sdp;
use serde_json::{Value, json};

use super::{
    caller::{Caller, Papers, offer},
    stage::Forwarder,
};

/// The child's side: an offer in is answered, `null` opens a new room for those who come after.
pub fn serve() {
    let (media, events) = Media::start(Config {
        bind: [127, 0, 0, 1].into(),
        port: 0,
        public: vec![[127, 0, 0, 1].into()],
        tcp_port: None,
        udp: true,
        workers: 1,
    })
    .unwrap();
    std::thread::spawn(move || while events.recv().is_ok() {});
    let mut room = media.open_room();
    for line in std::io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = match line.as_str() {
            Some(offer) => {
                let (member, answer) = media
                    .join_by_offer(room, &Sdp::parse(offer).unwrap())
                    .unwrap();
                media.admit(member);
                json!(answer.to_string())
            }
            None => {
                room = media.open_room();
                continue;
            }
        };
        println!("{answer}");
    }
}

pub struct Relay {
    process: Process,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Relay {
    pub fn start() -> Self {
        let me = std::env::current_exe().unwrap();
        let mut process = Process::start(&[me.to_str().unwrap(), "serve"]);
        let to = process.child.stdin.take().unwrap();
        let from = BufReader::new(process.child.stdout.take().unwrap());
        Self { process, to, from }
    }

    /// Who joins from now on joins another room.
    pub fn next_room(&mut self) {
        writeln!(self.to, "null").unwrap();
    }

    /// A caller with our answer to its offer.
    pub fn caller(&mut self, papers: &Arc<Papers>, direction: &str, ssrc: u32) -> Caller {
        let offer = offer(&papers.fingerprint, direction, ssrc).to_string();
        writeln!(self.to, "{}", json!(offer)).unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let answer = Sdp::parse(answer.as_str().unwrap()).unwrap();
        Caller::new(papers, &answer, ssrc)
    }
}

impl Forwarder for Relay {
    fn join(&mut self, papers: &Arc<Papers>, publishes: bool, ssrc: u32) -> Caller {
        let direction = if publishes { "sendonly" } else { "recvonly" };
        self.caller(papers, direction, ssrc)
    }

    fn process(&self) -> &Process {
        &self.process
    }
}

/// Something that forwards, on the first core, in front of what else runs there, where the system
/// allows it; and what it costs.
pub struct Process {
    child: Child,
}

impl Process {
    pub fn start(command: &[&str]) -> Self {
        let can = |words: &[&str]| {
            let ran = Command::new(words[0])
                .args(&words[1..])
                .arg("true")
                .output();
            ran.is_ok_and(|output| output.status.success())
        };
        let mut words: Vec<&str> = Vec::new();
        for prefix in [["taskset", "-c", "0"], ["chrt", "-r", "10"]] {
            if can(&prefix) {
                words.extend(prefix);
            }
        }
        words.extend(command);
        let child = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child }
    }

    /// Seconds of CPU, of all threads.
    pub fn cpu(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanoseconds: f64 = tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|line| line.split(' ').next()?.parse::<f64>().ok())
            .sum();
        nanoseconds / 1e9
    }

    /// Seconds of that in user space, sampled by the kernel's tick.
    pub fn user(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after_name = stat.rsplit(") ").next().unwrap();
        let ticks: f64 = after_name.split(' ').nth(11).unwrap().parse().unwrap();
        // USER_HZ is 100 wherever Linux runs
        ticks / 100.0
    }

    pub fn memory_kib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        line.split_ascii_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
