//! Every kind of message, written to a folder with an index page:
//!
//! ```text
//! cargo run --example preview                 # into target/preview
//! cargo run --example preview -- some/folder
//! ```
//!
//! Whoever has a `Render` of their own copies this and puts it in
//! `DefaultRender`'s place.

use std::{fs, io, path::PathBuf};

use tracing_alert::{DefaultRender, Email, notice::Notice};

#[expect(clippy::print_stdout, reason = "it says where to look")]
fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/preview"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let mut index = String::from(HEAD);
    for (name, notice) in Notice::examples() {
        let render = DefaultRender::default();
        let sms = render.sms(&notice);
        let Email { subject, text, html, .. } = render.email(&notice);
        fs::write(folder.join(format!("{name}.html")), html)?;
        fs::write(folder.join(format!("{name}.txt")), format!("{sms}\n\n{subject}\n\n{text}\n"))?;
        index.push_str(&format!(
            "<h2>{name}</h2><p class=\"sms\">{}</p><p><a href=\"{name}.html\">{}</a> (<a href=\"{name}.txt\">text</a>)</p>\n",
            escaped(&sms),
            escaped(&subject),
        ));
    }
    let page = folder.join("index.html");
    fs::write(&page, index)?;
    println!("{}", page.display());
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Every kind of message</title>
<style>
body { max-width: 640px; margin: 0 auto; padding: 16px; font: 15px/1.45 sans-serif; overflow-wrap: anywhere }
.sms { max-width: 300px; padding: 8px 12px; border-radius: 12px; background: #e5e5ea; color: #1f2328 }
</style>
"#;
