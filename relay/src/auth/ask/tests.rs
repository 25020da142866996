//! A clinic that answers, answers late, answers nonsense.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{xml::NOT_XML, *};
use crate::{config::Secret, signal::users::Keys};

/// A web server on a port of its own: keeps what it is asked, and answers with what it was told to.
struct Site {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Site {
    async fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/clinicall", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let connections: Arc<AtomicUsize> = Arc::default();
        let (log, count) = (asked.clone(), connections.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Relaxed);
                let log = log.clone();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while let Ok(1..) = stream.read_buf(&mut request).await {
                        let text = String::from_utf8_lossy(&request).into_owned();
                        let Some((head, body)) = text.split_once("\r\n\r\n") else {
                            continue;
                        };
                        let length = head
                            .lines()
                            .find_map(|line| line.strip_prefix("content-length: "))
                            .map_or(0, |length| length.parse().unwrap());
                        if body.len() >= length {
                            log.lock().unwrap().push(text);
                            break;
                        }
                    }
                    if answer.is_empty() {
                        // never
                        tokio::time::sleep(Duration::from_secs(600)).await;
                    }
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self {
            url,
            asked,
            connections,
        }
    }

    fn clinic(&self, form: WebhookForm) -> Clinic {
        let mut config = Config::dev();
        config.domains = vec!["clinic.example".to_owned()];
        config.login.webhook = Some(self.url.clone());
        config.login.call_webhook = Some(self.url.clone());
        config.login.webhook_form = form;
        config.login.webhook_deadline_ms = 300;
        config.login.webhook_secret = Some(Secret("sixteen bytes or more".into()));
        Clinic::from_config(&config).unwrap().unwrap()
    }

    fn questions(&self) -> usize {
        self.connections.load(Relaxed)
    }
}

#[tokio::test]
async fn the_clinic_names_the_password_and_is_not_asked_twice() {
    let site = Site::answering(
        "HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n{\"password\":\"spring\", \"name\":\"Dr Ivanova\"}   ",
    )
    .await;
    let clinic = site.clinic(WebhookForm::Json);
    let doctor = clinic.user("2").await.unwrap().unwrap();
    assert_eq!(doctor.name, "Dr Ivanova");
    assert_eq!(doctor.keys, Keys::derive("2", "clinic.example", "spring"));
    assert_eq!(clinic.user("2").await.unwrap(), Some(doctor));
    assert_eq!(site.questions(), 1);
    let asked = site.asked.lock().unwrap()[0].clone();
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /clinicall HTTP/1.1"), "{head}");
    assert!(body.contains(r#""action":"login""#) && body.contains(r#""user":"2""#));
    // the clinic can tell that it is us
    let shown = head
        .lines()
        .find_map(|line| line.strip_prefix("clinicall-signature: "))
        .unwrap();
    let at = shown[2..].split(',').next().unwrap().parse().unwrap();
    assert_eq!(
        shown,
        sign::header(
            &Secret("sixteen bytes or more".to_owned()),
            at,
            body.as_bytes()
        )
    );
    clinic.forget("2");
    clinic.user("2").await.unwrap();
    assert_eq!(site.questions(), 2);
}

#[tokio::test]
async fn nobody_is_let_in_when_the_clinic_does_not_answer_properly() {
    for answer in [
        "",
        "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{\"user\":\"3\",\"password\":\"spri\"} ",
        "HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"password\":\"\"}",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let site = Site::answering(answer).await;
        let clinic = site.clinic(WebhookForm::Json);
        assert_eq!(
            clinic.user("2").await,
            Err(Refused::Unavailable),
            "{answer}"
        );
        assert_eq!(
            clinic.may_call("2", "3@clinic.example").await,
            Err(Refused::Unavailable),
            "{answer}"
        );
    }
    let mut config = Config::dev();
    config.login.webhook = Some("http://127.0.0.1:9/".to_owned());
    let gone = Clinic::from_config(&config).unwrap().unwrap();
    assert_eq!(gone.user("2").await, Err(Refused::Unavailable));
}

#[tokio::test]
async fn no_such_user_is_an_answer() {
    let none = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    for form in [WebhookForm::Json, WebhookForm::XmlCurl] {
        let site = Site::answering(none).await;
        let clinic = site.clinic(form);
        assert_eq!(clinic.user("99").await, Ok(None));
        assert_eq!(clinic.user("99").await, Ok(None));
        assert_eq!(site.questions(), 1);
    }
}

#[tokio::test]
async fn the_clinic_decides_who_calls_whom() {
    let yes = "HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"allow\":true}";
    let no = "HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"allow\":false}";
    let forbidden = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    for (answer, expected) in [
        (yes, Ok(())),
        (no, Err(Refused::Forbidden)),
        (forbidden, Err(Refused::Forbidden)),
    ] {
        let site = Site::answering(answer).await;
        let clinic = site.clinic(WebhookForm::XmlCurl);
        assert_eq!(clinic.may_call("3", "2@clinic.example").await, expected);
        let asked = site.asked.lock().unwrap()[0].clone();
        assert!(
            asked.contains(r#""from":"3","to":"2@clinic.example""#),
            "{asked}"
        );
    }
}

fn xml(status: u16, body: &str) -> Result<Option<User>, Strange> {
    let reply = Reply {
        status,
        body: body.as_bytes().to_vec(),
    };
    xml::user(&reply, "1000", "clinic.example")
}

const DIRECTORY: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<document type="freeswitch/xml">
  <section name="directory">
    <domain name="clinic.example">
      <params><param name="dial-string" value="{^^:sip_invite_domain=${domain_name}}"/></params>
      <groups><group name="default"><users>
        <user id="999"><params><param name="password" value="another's"/></params></user>
        <user id="1000">
          <params><param name="password" value="a &amp; b &lt;c&gt; &#1103;"/></params>
          <variables><variable name="effective_caller_id_name" value="Д-р Иванова"/></variables>
        </user>
      </users></group></groups>
    </domain>
  </section>
</document>"#;

#[test]
fn a_directory_of_mod_xml_curl_is_understood() {
    let doctor = xml(200, DIRECTORY).unwrap().unwrap();
    assert_eq!(doctor.name, "Д-р Иванова");
    assert_eq!(
        doctor.keys,
        Keys::derive("1000", "clinic.example", "a & b <c> я")
    );
    let hash = "0123456789ABCDEF0123456789abcdef";
    let hashed = format!(
        "<document type='freeswitch/xml'><section name='directory'><domain name='x'>\
         <user id='1000'><params><param name='a1-hash' value='{hash}'/></params></user>\
         </domain></section></document>"
    );
    let doctor = xml(200, &hashed).unwrap().unwrap();
    assert_eq!(doctor.keys.md5, Some(hash.to_ascii_lowercase()));
    assert_eq!(doctor.keys.sha256, None);
    let nobody = "<document type=\"freeswitch/xml\"><section name=\"result\">\
                  <result status=\"not found\"/></section></document>";
    assert_eq!(xml(200, nobody), Ok(None));
}

#[test]
fn what_is_no_directory_lets_nobody_in() {
    for bad in [
        "",
        "hello",
        "<document type=\"freeswitch/xml\">",
        "<document type=\"freeswitch/xml\"></section></document>",
        "<document><section name='directory'><user id='1000'/></section></document>",
        "<html><body>It works!</body></html>",
        "<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><document type='freeswitch/xml'>\
         <user id='1000'><params><param name='password' value='&a;'/></params></user></document>",
        "<document type='freeswitch/xml'><user id='1000'><params>\
         <param name='password' value='&a;'/></params></user></document>",
    ] {
        assert_eq!(xml(200, bad), Err(NOT_XML), "{bad}");
    }
    let without = "<document type='freeswitch/xml'><user id='1000'/></document>";
    assert_eq!(xml(200, without), Err(Strange::NoKey));
    let other = "<document type='freeswitch/xml'><user id='1'/></document>";
    assert_eq!(xml(200, other), Err(Strange::OtherUser));
    assert_eq!(xml(503, DIRECTORY), Err(Strange::Status(503)));
    // a user beside ours, with a password after ours was closed
    let beside = "<document type='freeswitch/xml'><user id='1000'></user><user id='2'>\
                  <param name='password' value='x'/></user></document>";
    assert_eq!(xml(200, beside), Err(Strange::NoKey));
    let deep = format!(
        "<document type='freeswitch/xml'>{}",
        "<domain>".repeat(100_000)
    );
    assert_eq!(xml(200, &deep), Err(NOT_XML));
}

/// As FreeSWITCH writes them: a PHP page finds them in $_POST.
#[test]
fn the_form_names_what_freeswitch_names() {
    let form = String::from_utf8(xml::who_is("d.r-1", "clinic.example", "a realm&b")).unwrap();
    for field in [
        "section=directory",
        "tag_name=domain",
        "key_value=clinic.example",
        "Event-Name=REQUEST_PARAMS",
        "action=sip_auth",
        "sip_auth_realm=a%20realm%26b",
        "user=d.r-1",
        "domain=clinic.example",
        "key=id",
    ] {
        assert!(form.split('&').any(|one| one == field), "{form}");
    }
}
