//! The stage itself: when these fail, the fault is in the machine or the harness, not in the
//! product.

use anyhow::Result;
use clinicall_tests::{
    browser::{Browser, Kind},
    process::Net,
    repo,
};
use serde_json::json;

/// Two connections in one page, of which one sees and hears what the other sends.
fn sees_and_hears_itself(browser: &Browser) -> Result<()> {
    let address = browser.serve(&repo::path("tests/pages"))?;
    let page = browser.open(&format!("{address}mirror.html"))?;
    let flow: serde_json::Value =
        page.eval("return await mirror(arg.seconds)", json!({"seconds": 15}))?;
    println!("{}: {flow}", browser.version);
    assert!(
        flow["framesDecoded"].as_u64() > Some(5),
        "no picture: {flow}"
    );
    assert!(
        flow["audioPackets"].as_u64() > Some(20),
        "no sound packets: {flow}"
    );
    assert!(flow["audioEnergy"].as_f64() > Some(0.0), "silence: {flow}");
    Ok(())
}

#[test]
fn chromium_sees_and_hears_itself() -> Result<()> {
    sees_and_hears_itself(&Browser::launch(Kind::Chromium)?)
}

#[test]
fn firefox_sees_and_hears_itself() -> Result<()> {
    sees_and_hears_itself(&Browser::launch(Kind::Firefox)?)
}

/// Firefox leaves whoever asked for statistics waiting for ever.
fn a_connection_closes_while_it_is_asked(browser: &Browser) -> Result<()> {
    let address = browser.serve(&repo::path("tests/pages"))?;
    let page = browser.open(&format!("{address}mirror.html"))?;
    page.eval::<serde_json::Value>("return await mirror(0)", json!({}))?;
    let ask =
        "const asked = quality(connections[arg]); connections[arg].close(); return await asked";
    let of_the_other: serde_json::Value = page.eval(ask, json!(0))?;
    println!("{}: {of_the_other}", browser.version);
    assert!(of_the_other["audioPackets"].is_u64(), "{of_the_other}");
    let of_none: serde_json::Value = page.eval(ask, json!(1))?;
    assert!(of_none["audioPackets"].is_u64(), "{of_none}");
    let long_closed: serde_json::Value = page.eval("return await quality()", json!({}))?;
    assert_eq!(long_closed["state"], "closed", "{long_closed}");
    Ok(())
}

#[test]
fn a_chromium_connection_closes_while_it_is_asked() -> Result<()> {
    a_connection_closes_while_it_is_asked(&Browser::launch(Kind::Chromium)?)
}

#[test]
fn a_firefox_connection_closes_while_it_is_asked() -> Result<()> {
    a_connection_closes_while_it_is_asked(&Browser::launch(Kind::Firefox)?)
}

#[test]
fn a_page_that_fails_says_so_in_time() -> Result<()> {
    let browser = Browser::launch(Kind::Chromium)?;
    let page = browser.open("about:blank")?;
    let thrown = page.eval::<()>(
        "console.log('before'); throw new Error('no camera')",
        json!({}),
    );
    assert!(format!("{:#}", thrown.unwrap_err()).contains("no camera"));
    let second = std::time::Duration::from_secs(1);
    let hung = page.eval_within::<()>(second, "await new Promise(() => {})", json!({}));
    assert!(format!("{:#}", hung.unwrap_err()).contains("longer than 1000 ms"));
    assert_eq!(page.console()?, ["log: before"]);
    Ok(())
}

#[test]
fn no_udp_packet_arrives_in_a_network_without_udp() -> Result<()> {
    let net = match Net::without_udp() {
        Ok(net) => net,
        Err(error) => {
            println!("skipped: {error:#}");
            return Ok(());
        }
    };
    let browser = Browser::launch_inside(Kind::Chromium, Some(&net))?;
    let address = browser.serve(&repo::path("tests/pages"))?;
    let page = browser.open(&format!("{address}mirror.html"))?;
    let flow = page.eval::<serde_json::Value>("return await mirror(1)", json!({}));
    assert!(flow.is_err(), "media flows where UDP is blocked: {flow:?}");
    Ok(())
}
