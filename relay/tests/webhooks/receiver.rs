//! The clinic's server, by hand: it has to misbehave in ways no HTTP library lets it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Status(u16),
    /// Reads the request and says nothing.
    Hang,
    /// Closes without an answer.
    Close,
    /// To an address that counts who comes.
    Redirect,
    /// 200 and a body without end.
    Huge,
    /// 200 and a byte now and then.
    Drip,
    /// No HTTP at all.
    Nonsense,
    /// Header after header.
    EndlessHead,
}

#[derive(Debug)]
pub struct Request {
    headers: HashMap<String, String>,
    pub body: Vec<u8>,
    pub accepted: bool,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
    pub fn user(&self) -> String {
        let record: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        record["user"].as_str().unwrap_or("").to_owned()
    }
}

type Script = Arc<dyn Fn(&str, usize) -> Answer + Send + Sync>;

#[derive(Default)]
struct Counts {
    /// By user, how often it was told.
    times: Mutex<HashMap<String, usize>>,
    redirected: AtomicUsize,
    sent: AtomicUsize,
}

pub struct Receiver {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Request>,
    counts: Arc<Counts>,
}

impl Receiver {
    /// `script` gets the user of the event and how often it has seen that user before.
    pub async fn start(script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script).await
    }

    pub async fn start_at(
        address: SocketAddr,
        script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, requests) = mpsc::unbounded_channel();
        let counts = Arc::<Counts>::default();
        let script: Script = Arc::new(script);
        let own = counts.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), tell.clone(), own.clone()));
            }
        });
        Self {
            address,
            requests,
            counts,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/events?token=not-for-logs", self.address)
    }

    pub async fn next(&mut self) -> Request {
        let request = tokio::time::timeout(Duration::from_secs(60), self.requests.recv());
        request.await.expect("an event within a minute").unwrap()
    }

    /// The next one that was answered with 2xx.
    pub async fn accepted(&mut self) -> Request {
        loop {
            let request = self.next().await;
            if request.accepted {
                return request;
            }
        }
    }

    pub fn times(&self, user: &str) -> usize {
        self.counts
            .times
            .lock()
            .unwrap()
            .get(user)
            .copied()
            .unwrap_or(0)
    }

    pub fn redirected(&self) -> usize {
        self.counts.redirected.load(Relaxed)
    }

    /// Bytes of endless answers that somebody took.
    pub fn sent(&self) -> usize {
        self.counts.sent.load(Relaxed)
    }
}

async fn serve(
    stream: TcpStream,
    script: Script,
    tell: mpsc::UnboundedSender<Request>,
    counts: Arc<Counts>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if stream.read_line(&mut first).await.ok()? == 0 {
            return None;
        }
        if first.contains("/elsewhere") {
            counts.redirected.fetch_add(1, Relaxed);
        }
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => {
                    headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
                }
                None => break,
            }
        }
        let length: usize = headers.get("content-length")?.parse().ok()?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let mut request = Request {
            headers,
            body,
            accepted: false,
        };
        let seen = {
            let mut times = counts.times.lock().unwrap();
            let times = times.entry(request.user()).or_default();
            *times += 1;
            *times - 1
        };
        let answer = script(&request.user(), seen);
        request.accepted = matches!(answer, Answer::Status(200..300));
        tell.send(request).ok()?;
        answer_with(&mut stream, answer, &counts).await?;
    }
}

async fn answer_with(
    stream: &mut BufReader<TcpStream>,
    answer: Answer,
    counts: &Counts,
) -> Option<()> {
    match answer {
        Answer::Status(status) => {
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await.ok()
        }
        Answer::Redirect => {
            let head = b"HTTP/1.1 307 x\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(head).await.ok()
        }
        Answer::Close => None,
        Answer::Hang => {
            // until the other side has had enough
            let _ = stream.read_u8().await;
            None
        }
        Answer::Huge => {
            stream.write_all(b"HTTP/1.1 200 x\r\n\r\n").await.ok()?;
            pour(stream, &[b'x'; 1 << 16], counts).await
        }
        Answer::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 x\r\nx: ").await.ok()?;
            pour(stream, &[b'x'; 1 << 16], counts).await
        }
        Answer::Drip => {
            stream.write_all(b"HTTP/1.1 200 x\r\n\r\n").await.ok()?;
            loop {
                stream.write_all(b"x").await.ok()?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Answer::Nonsense => {
            stream
                .write_all(b"\x16\x03\x01 220 mail.example ESMTP\r\n")
                .await
                .ok()?;
            None
        }
    }
}

async fn pour(stream: &mut BufReader<TcpStream>, bytes: &[u8], counts: &Counts) -> Option<()> {
    loop {
        stream.write_all(bytes).await.ok()?;
        counts.sent.fetch_add(bytes.len(), Relaxed);
    }
}
