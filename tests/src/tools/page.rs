//! The demo page: `www/dist`, as `trunk build` would make it, without Trunk.
//!
//! `www/index.html` says by `<link data-trunk rel="..." href="...">` what belongs to it: `rust`
//! (the crate itself), `css`, `icon` and `copy-file`. Names carry a hash of the content, so a
//! server may let browsers keep them for ever; everything is compressed beforehand.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{say, setup, wasm};
use crate::repo;

const NAME: &str = "clinicall_www";

/// Builds the page; the folder it is in.
pub fn make() -> Result<PathBuf> {
    setup::builds()?;
    say("building the page");
    let module = wasm::program("clinicall-www")?;
    let source = repo::path("www");
    let html =
        fs::read_to_string(source.join("index.html")).context("cannot read www/index.html")?;
    let links = links(&html)?;
    let mut inputs = vec![
        module.clone(),
        source.join("index.html"),
        repo::path("tests/src/tools/page.rs"),
    ];
    inputs.extend(wasm::makers());
    inputs.extend(
        links
            .iter()
            .filter(|it| it.rel != "rust")
            .map(|it| source.join(it.href)),
    );
    let folder = repo::path("www/dist");
    wasm::once(&folder, &wasm::fingerprint(&inputs)?, || {
        let mut made = html.clone();
        for link in &links {
            let tag = match link.rel {
                "rust" => code(&module, &folder)?,
                "css" => {
                    let name = copy(&source.join(link.href), &folder, true)?;
                    format!(r#"<link rel="stylesheet" href="{name}">"#)
                }
                "icon" => {
                    let name = copy(&source.join(link.href), &folder, true)?;
                    format!(r#"<link rel="icon" href="{name}">"#)
                }
                "copy-file" => {
                    copy(&source.join(link.href), &folder, false)?;
                    String::new()
                }
                other => bail!("www/index.html: `data-trunk rel=\"{other}\"` is not known here"),
            };
            made = made.replacen(link.tag, &tag, 1);
        }
        fs::write(folder.join("index.html"), made)?;
        compress(&folder)
    })?;
    Ok(folder)
}

/// A `<link data-trunk>` of the page.
struct Link<'a> {
    tag: &'a str,
    rel: &'a str,
    href: &'a str,
}

fn links(html: &str) -> Result<Vec<Link<'_>>> {
    let mut links = Vec::new();
    for (start, _) in html.match_indices("<link") {
        let rest = &html[start..];
        let end = rest
            .find('>')
            .context("www/index.html: a `<link` without its `>`")?;
        let tag = &rest[..=end];
        if tag.contains("data-trunk") {
            let rel = attribute(tag, "rel")
                .with_context(|| format!("www/index.html: no `rel` in `{tag}`"))?;
            links.push(Link {
                tag,
                rel,
                href: attribute(tag, "href").unwrap_or_default(),
            });
        }
    }
    Ok(links)
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

/// The crate as one script and one module; the tags that load them.
fn code(module: &Path, folder: &Path) -> Result<String> {
    // Bound outside of the folder that is served: the bundle has all of it but the module.
    let bound = module.with_file_name(format!("{NAME}.bound"));
    let _ = fs::remove_dir_all(&bound);
    wasm::bind(module, &bound, NAME)?;
    let module = copy(&bound.join(format!("{NAME}_bg.wasm")), folder, true)?;
    let start = bound.join("start.js");
    fs::write(
        &start,
        format!(
            "import init from \"./{NAME}.js\";\n\
             init({{ module_or_path: new URL(\"./{module}\", import.meta.url) }});\n"
        ),
    )?;
    let bundle = bound.join(format!("{NAME}.js"));
    wasm::minify(&start, &bundle, true)?;
    let script = copy(&bundle, folder, true)?;
    Ok(format!(
        r#"<link rel="preload" href="{module}" as="fetch" type="application/wasm" crossorigin>
<script type="module" src="{script}"></script>"#
    ))
}

/// Copies into the folder, with the content's hash in the name if asked; the name there.
fn copy(file: &Path, folder: &Path, hashed: bool) -> Result<String> {
    let part =
        |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let name = if hashed {
        let hash = wasm::fingerprint(&[file.to_owned()])?;
        format!(
            "{}-{hash}.{}",
            part(file.file_stem()),
            part(file.extension())
        )
    } else {
        part(file.file_name())
    };
    fs::copy(file, folder.join(&name))
        .with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(name)
}

fn compress(folder: &Path) -> Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| {
            ["js", "wasm", "css", "html", "svg"]
                .iter()
                .any(|e| it == *e)
        }) {
            files.push(path);
        }
    }
    files.sort();
    for (file, weight) in files.iter().zip(wasm::weigh(&files, true)?) {
        let name = file.strip_prefix(repo::root()).unwrap_or(file);
        say(format_args!("{}: {weight}", name.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_what_belongs_to_it() {
        let html = r#"<head><link rel="canonical" href="/">
            <link data-trunk rel="rust" data-wasm-opt="0">
            <link data-trunk rel="css" href="index.css" /></head>"#;
        let links = links(html).unwrap();
        let found: Vec<_> = links.iter().map(|it| (it.rel, it.href)).collect();
        assert_eq!(found, [("rust", ""), ("css", "index.css")]);
        assert!(links[1].tag.ends_with("/>"));
    }

    #[test]
    fn a_link_without_rel_is_told() {
        let Err(error) = links(r#"<link data-trunk href="x">"#) else {
            panic!("accepted")
        };
        assert!(error.to_string().contains("no `rel`"), "{error}");
    }
}
