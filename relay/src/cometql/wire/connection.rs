//! One client's connection as a state machine.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use ring::digest::{SHA256, digest};

use super::{
    answer::{self, Form},
    auth::{Method, Nonce},
    capability as cap,
    handshake::{self, Hello, Login},
    packet::{AFTER_LOGIN, BEFORE_LOGIN, Framed, Splitter, frame},
    prepared::{MOST, MOST_TEXT, Prepared},
    read::Reader,
};
use crate::{
    cometql::{
        Code, Error,
        execute::{self, Session},
        is_database,
        sql::{self, Statement},
        tables::Table,
        value::{Answer, Column, Kind},
    },
    config::Secret,
};

/// What all connections share.
#[derive(Clone, Debug)]
pub struct Settings {
    pub password: Secret,
    /// `mysql_native_password` is taken.
    pub native: bool,
    pub tls: bool,
}

/// What the shell is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    Send(Vec<u8>),
    /// Everything after the bytes taken so far is TLS.
    StartTls,
    /// Somebody failed to log in; what follows may wait a moment.
    Refused,
    /// Do it, and give [`Connection::answer`] what came of it.
    Run(Statement),
    Close,
}

#[derive(Debug)]
enum State {
    /// The greeting is out.
    Greeted,
    /// Another method was asked for.
    Switched(Login, Method),
    Ready,
    Running(Form),
    Closed,
}

#[derive(Debug)]
pub struct Connection {
    settings: Arc<Settings>,
    seed: [u8; 32],
    nonces: u32,
    nonce: Nonce,
    state: State,
    splitter: Splitter,
    /// The number of the next packet to send.
    sequence: u8,
    capabilities: u32,
    session: Session,
    logged_in: bool,
    /// A load balancer's probe: it may connect, and nothing else.
    probe: bool,
    /// BEGIN was said: clients ask, though nothing hangs on it.
    in_transaction: bool,
    prepared: BTreeMap<u32, Prepared>,
    next_statement: u32,
    outputs: VecDeque<Output>,
}

impl Connection {
    /// `seed` is random and secret.
    #[must_use]
    pub fn new(settings: Arc<Settings>, number: u32, seed: [u8; 32]) -> Self {
        let mut connection = Self {
            seed,
            nonces: 0,
            nonce: Nonce([0; 20]),
            state: State::Greeted,
            splitter: Splitter::new(BEFORE_LOGIN),
            sequence: 0,
            capabilities: 0,
            session: Session {
                connection: number,
                ..Session::default()
            },
            logged_in: false,
            probe: false,
            in_transaction: false,
            prepared: BTreeMap::new(),
            next_statement: 1,
            outputs: VecDeque::new(),
            settings,
        };
        connection.renew_nonce();
        let method = connection.preferred();
        let tls = connection.settings.tls;
        let greeting = handshake::greeting(number, method, &connection.nonce, tls);
        connection.send(&greeting);
        connection
    }

    /// Refuses a connection before anything else is said.
    #[must_use]
    pub fn refusal(code: Code, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        frame(&mut out, &answer::error(&Error::new(code, text)), 0);
        out
    }

    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    #[must_use]
    pub const fn is_logged_in(&self) -> bool {
        self.logged_in && !self.probe
    }

    /// True while nothing waits for [`Self::answer`], for TLS or for its end.
    #[must_use]
    pub fn wants_bytes(&self) -> bool {
        self.outputs.is_empty() && !matches!(self.state, State::Running(_) | State::Closed)
    }

    /// Takes bytes until something is to be done; returns how many.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while self.wants_bytes() && !rest.is_empty() {
            match self.splitter.next(&mut rest) {
                Ok(None) => {}
                Ok(Some(framed)) => self.framed(framed),
                Err(error) => self.give_up(&error.to_string()),
            }
        }
        bytes.len() - rest.len()
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What came of the statement of the last [`Output::Run`].
    pub fn answer(&mut self, statement: &Statement, answer: Result<Answer, Error>) {
        let State::Running(form) = self.state else {
            return;
        };
        self.state = State::Ready;
        match answer {
            Ok(answer) => {
                match statement {
                    Statement::Use(database) => self.session.database = Some(database.clone()),
                    Statement::Begin => self.in_transaction = true,
                    Statement::End => self.in_transaction = false,
                    _ => {}
                }
                if let Answer::Done { insert_id, .. } = answer {
                    self.session.last_insert_id = insert_id;
                }
                let mut out = Vec::new();
                for payload in answer::payloads(&answer, form, self.capabilities, self.status()) {
                    self.sequence = frame(&mut out, &payload, self.sequence);
                }
                self.outputs.push_back(Output::Send(out));
            }
            Err(error) => self.error(&error),
        }
    }

    // --- login

    fn preferred(&self) -> Method {
        match self.settings.native {
            true => Method::Native,
            false => Method::Sha256,
        }
    }

    fn renew_nonce(&mut self) {
        self.nonces += 1;
        let hash = digest(
            &SHA256,
            &[&self.seed[..], &self.nonces.to_le_bytes()].concat(),
        );
        let mut random = [0; 20];
        random.copy_from_slice(&hash.as_ref()[..20]);
        self.nonce = Nonce::from_random(random);
    }

    fn framed(&mut self, framed: Framed) {
        let (payload, sequence) = match framed {
            Framed::Packet(payload, sequence) => (payload, sequence),
            Framed::TooLong(sequence) => {
                self.sequence = sequence.wrapping_add(1);
                if !matches!(self.state, State::Ready) {
                    return self.give_up("the packet is too long for a login");
                }
                let most = AFTER_LOGIN / 1024;
                let text = format!("the statement is too long: at most {most} KiB");
                return self.error(&Error::new(Code::TooLong, text));
            }
        };
        self.sequence = sequence.wrapping_add(1);
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Greeted => match Hello::parse(&payload) {
                Ok(Hello::Tls) if self.settings.tls => {
                    self.state = State::Greeted;
                    self.splitter.expect(self.sequence);
                    self.outputs.push_back(Output::StartTls);
                }
                Ok(Hello::Login(login)) => {
                    self.capabilities = login.capabilities & handshake::OURS;
                    self.login(login, true);
                }
                _ => self.give_up("the login is malformed, or of a client before MySQL 4.1"),
            },
            State::Switched(login, method) => {
                let login = Login {
                    proof: payload,
                    ..login
                };
                self.verify(&login, method);
            }
            State::Ready => self.command(&payload),
            state @ (State::Running(_) | State::Closed) => self.state = state,
        }
    }

    /// `with_proof`: the proof was made from the greeting's nonce.
    fn login(&mut self, login: Login, with_proof: bool) {
        if login.user.starts_with("haproxy_check") && login.proof.is_empty() {
            self.session.user = login.user;
            self.logged_in = true;
            self.probe = true;
            self.state = State::Ready;
            return self.ok();
        }
        let named = login.method.as_deref().map(Method::named);
        let method = match named {
            Some(Some(Method::Native)) if !self.settings.native => Method::Sha256,
            Some(Some(method)) => method,
            // a method that is not taken here
            Some(None) => self.preferred(),
            // clients older than methods know the native one only
            None => Method::Native,
        };
        let same = named.is_none_or(|named| named == Some(method)) && method == self.preferred();
        if with_proof && same && !(login.proof.is_empty() && named.is_some()) {
            return self.verify(&login, method);
        }
        if login.capabilities & cap::PLUGIN_AUTH == 0 {
            return self.refuse_login();
        }
        self.renew_nonce();
        let switch = handshake::switch(method, &self.nonce);
        self.send(&switch);
        self.splitter.expect(self.sequence);
        self.state = State::Switched(login, method);
    }

    fn verify(&mut self, login: &Login, method: Method) {
        // some clients end the proof with a NUL
        let proof = match (&login.proof[..], method) {
            ([proof @ .., 0], Method::Sha256) if proof.len() == 32 => proof,
            (proof, _) => proof,
        };
        if !method.holds(proof, &self.settings.password.0, &self.nonce) {
            return self.refuse_login();
        }
        if let Some(database) = login.database.as_ref().filter(|name| !is_database(name)) {
            let text = format!("there is no database `{database}`");
            self.error(&Error::new(Code::Missing, text));
            return self.close();
        }
        self.session.user.clone_from(&login.user);
        self.session.database.clone_from(&login.database);
        self.logged_in = true;
        self.probe = false;
        self.splitter.set_limit(AFTER_LOGIN);
        self.state = State::Ready;
        if method == Method::Sha256 {
            // "fast authentication succeeded": the password is always at hand here
            self.send(&[1, 3]);
        }
        self.ok();
    }

    fn refuse_login(&mut self) {
        self.outputs.push_back(Output::Refused);
        self.error(&Error::new(
            Code::Authentication,
            "Access denied: the password is not the one of `cometql.password`",
        ));
        self.close();
    }

    // --- commands

    fn command(&mut self, payload: &[u8]) {
        let Some((&command, body)) = payload.split_first() else {
            return self.error(&Error::new(Code::Syntax, "an empty command"));
        };
        // every answer to a command begins at 1
        if self.probe && !matches!(command, 0x01 | 0x0E) {
            return self.error(&Error::new(Code::Denied, "a health check may connect only"));
        }
        match command {
            // COM_QUIT
            0x01 => self.close(),
            // COM_INIT_DB
            0x02 => match text(body) {
                Ok(database) if is_database(database) => {
                    self.session.database = Some(database.to_owned());
                    self.ok();
                }
                Ok(database) => {
                    let shown: String = database.chars().take(64).collect();
                    let text = format!("there is no database `{shown}`");
                    self.error(&Error::new(Code::Missing, text));
                }
                Err(error) => self.error(&error),
            },
            // COM_QUERY
            0x03 => match text(body).and_then(sql::parse) {
                Ok(parsed) if parsed.parameters > 0 => self.error(&Error::new(
                    Code::Syntax,
                    "`?` stands in a statement that was not prepared",
                )),
                Ok(parsed) => self.run(parsed.statement, Form::Text),
                Err(error) => self.error(&error),
            },
            // COM_FIELD_LIST
            0x04 => self.field_list(body),
            // COM_STATISTICS: text instead of a packet of any other kind
            0x09 => self.send(b"Clinicall CometQL"),
            // COM_PING
            0x0E => self.ok(),
            // COM_CHANGE_USER
            0x11 => match Login::change_user(body, self.capabilities) {
                Ok(login) => {
                    self.reset();
                    self.logged_in = false;
                    self.splitter.set_limit(BEFORE_LOGIN);
                    self.login(login, false);
                }
                Err(error) => self.give_up(&error.to_string()),
            },
            // COM_STMT_PREPARE
            0x16 => self.prepare(body),
            // COM_STMT_EXECUTE
            0x17 => self.execute(body),
            // COM_STMT_SEND_LONG_DATA and COM_STMT_CLOSE have no answer
            0x18 => self.long_data(body),
            0x19 => {
                if let Ok(id) = Reader::new(body).u32() {
                    self.prepared.remove(&id);
                }
            }
            // COM_STMT_RESET
            0x1A => match self.statement(body) {
                Ok(prepared) => {
                    prepared.reset();
                    self.ok();
                }
                Err(error) => self.error(&error),
            },
            // COM_SET_OPTION: several statements in one query may be turned off only
            0x1B => match Reader::new(body).u16() {
                Ok(1) => self.eof(),
                _ => self.error(&Error::new(
                    Code::NotImplemented,
                    "one statement a query: send them one after the other",
                )),
            },
            // COM_RESET_CONNECTION
            0x1F => {
                self.reset();
                self.ok();
            }
            other => {
                let text = format!("command {other:#04x} is not supported");
                self.error(&Error::new(Code::NotImplemented, text));
            }
        }
    }

    fn run(&mut self, statement: Statement, form: Form) {
        self.state = State::Running(form);
        self.outputs.push_back(Output::Run(statement));
    }

    fn reset(&mut self) {
        self.prepared.clear();
        self.in_transaction = false;
        self.session.last_insert_id = 0;
    }

    fn field_list(&mut self, body: &[u8]) {
        let table = Reader::new(body).text_until_nul().unwrap_or_default();
        match Table::named(&table.to_ascii_lowercase()) {
            Ok(table) => {
                for column in table.columns() {
                    let mut definition = answer::column(&column);
                    // its default: NULL
                    definition.push(0xFB);
                    self.send(&definition);
                }
                self.eof();
            }
            Err(error) => self.error(&error),
        }
    }

    fn prepare(&mut self, body: &[u8]) {
        let ready = text(body).and_then(sql::parse).and_then(|parsed| {
            let columns = execute::columns(&parsed.statement)?;
            Ok((parsed, columns))
        });
        let (parsed, columns) = match ready {
            Ok(ready) => ready,
            Err(error) => return self.error(&error),
        };
        let Ok(parameters) = u16::try_from(parsed.parameters) else {
            let text = "more than 65535 parameters: send the rows in several statements";
            return self.error(&Error::new(Code::TooManyValues, text));
        };
        let texts: usize = self.prepared.values().map(|prepared| prepared.size).sum();
        if self.prepared.len() >= MOST || texts + body.len() > MOST_TEXT {
            let text = "too many statements are prepared already: close some";
            return self.error(&Error::new(Code::TooManyValues, text));
        }
        let id = self.next_statement;
        self.next_statement = self.next_statement.wrapping_add(1);
        let mut ok = vec![0];
        ok.extend_from_slice(&id.to_le_bytes());
        ok.extend_from_slice(&(columns.len() as u16).to_le_bytes());
        ok.extend_from_slice(&parameters.to_le_bytes());
        ok.extend_from_slice(&[0, 0, 0]);
        self.send(&ok);
        let parameter = Column::new("", "?", Kind::Text);
        self.definitions(std::iter::repeat_n(&parameter, parsed.parameters));
        self.definitions(columns.iter());
        let prepared = Prepared::new(parsed.statement, parsed.parameters, columns, body.len());
        self.prepared.insert(id, prepared);
    }

    fn definitions<'a>(&mut self, columns: impl Iterator<Item = &'a Column>) {
        let mut any = false;
        for column in columns {
            any = true;
            self.send(&answer::column(column));
        }
        if any && self.capabilities & cap::DEPRECATE_EOF == 0 {
            self.eof();
        }
    }

    fn statement(&mut self, body: &[u8]) -> Result<&mut Prepared, Error> {
        let id = Reader::new(body).u32().unwrap_or_default();
        let found = self.prepared.get_mut(&id);
        found.ok_or_else(|| {
            Error::new(
                Code::UnknownStatement,
                "there is no such prepared statement",
            )
        })
    }

    fn execute(&mut self, body: &[u8]) {
        // the id, the wish for a cursor, which is not granted, and a count that is always 1
        const BEFORE_PARAMETERS: usize = 4 + 1 + 4;
        let bytes = body.get(BEFORE_PARAMETERS..).unwrap_or_default();
        let ready = self.statement(body).and_then(|prepared| {
            let values = prepared
                .parameters(bytes)
                .map_err(|error| Error::new(Code::InvalidData, error.to_string()))?;
            let mut statement = prepared.statement.clone();
            statement.bind(&values);
            Ok(statement)
        });
        match ready {
            Ok(statement) => self.run(statement, Form::Binary),
            Err(error) => self.error(&error),
        }
    }

    fn long_data(&mut self, body: &[u8]) {
        let mut reader = Reader::new(body);
        let (Ok(_), Ok(index)) = (reader.u32(), reader.u16()) else {
            return;
        };
        let piece = reader.rest();
        let held: usize = self.prepared.values().map(Prepared::held).sum();
        let room = AFTER_LOGIN.saturating_sub(held);
        let Ok(prepared) = self.statement(body) else {
            return;
        };
        // the command has no answer; the execution tells
        prepared.append(usize::from(index), piece, room);
    }

    // --- sending

    fn send(&mut self, payload: &[u8]) {
        let mut out = match self.outputs.pop_back() {
            Some(Output::Send(bytes)) => bytes,
            Some(other) => {
                self.outputs.push_back(other);
                Vec::new()
            }
            None => Vec::new(),
        };
        self.sequence = frame(&mut out, payload, self.sequence);
        self.outputs.push_back(Output::Send(out));
    }

    fn ok(&mut self) {
        self.send(&answer::ok(0, 0, self.status()));
    }

    fn eof(&mut self) {
        self.send(&answer::eof(self.status()));
    }

    const fn status(&self) -> u16 {
        match self.in_transaction {
            true => handshake::AUTOCOMMIT | handshake::IN_TRANSACTION,
            false => handshake::AUTOCOMMIT,
        }
    }

    fn error(&mut self, error: &Error) {
        self.send(&answer::error(error));
    }

    fn give_up(&mut self, why: &str) {
        self.error(&Error::new(Code::Syntax, why));
        self.close();
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.outputs.push_back(Output::Close);
    }
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| {
        Error::new(
            Code::InvalidData,
            "the statement is not UTF-8: SET NAMES utf8mb4, or let the client do so",
        )
    })
}

#[cfg(test)]
mod tests;
