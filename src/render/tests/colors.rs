//! The colors of a mail: readable as they are written, in the dark, and in
//! a mail program that inverts them.

use super::*;

/// WCAG's for text of any size.
const MIN_CONTRAST: f64 = 4.5;

/// Every background with the color on it, of inline styles and of rules.
fn pairs(html: &str) -> Vec<(String, String)> {
    let inline = html.split("style=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let rules = html.split_once("@media").map_or("", |(_, rest)| rest).split("</style>").next();
    let rules = rules.into_iter().flat_map(|rules| rules.split('{').skip(2));
    let blocks = inline.chain(rules.filter_map(|rule| rule.split('}').next()));
    let value = |block: &str, name: &str| {
        let mut declarations = block.split(';').filter_map(|declaration| declaration.split_once(':'));
        let found = declarations.find(|(found, _)| found.trim() == name)?.1;
        Some(found.trim().trim_end_matches("!important").trim().to_owned())
    };
    blocks
        .filter_map(|block| {
            let pair = (value(block, "background"), value(block, "color"));
            assert_eq!(pair.0.is_some(), pair.1.is_some(), "one without the other: {block}");
            Some((pair.0?, pair.1?))
        })
        .collect()
}

fn channels(color: &str) -> [f64; 3] {
    let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6).unwrap();
    [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0)
}

fn luminance(channels: [f64; 3]) -> f64 {
    let [red, green, blue] = channels.map(|channel| match channel {
        channel if channel <= 0.04045 => channel / 12.92,
        channel => ((channel + 0.055) / 1.055).powf(2.4),
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_text_can_be_read_as_written_and_inverted() {
    assert!((contrast(channels("#ffffff"), channels("#767676")) - 4.54).abs() < 0.01);
    let mut all = Vec::new();
    let kinds = [Level::ERROR, Level::WARN, Level::INFO].map(|level| error(level, "a", 1));
    let of_each_color = notice(kinds.to_vec());
    for html in [texts(&full()).html, texts(&of_each_color).html] {
        all.extend(pairs(&html));
    }
    all.sort();
    all.dedup();
    assert!(all.len() >= 12, "{all:?}");
    for (background, color) in all {
        let [below, above] = [&background, &color].map(|color| channels(color));
        let inverted = |color: [f64; 3]| color.map(|channel| 1.0 - channel);
        let ratios = [contrast(below, above), contrast(inverted(below), inverted(above))];
        assert!(ratios.iter().all(|ratio| *ratio >= MIN_CONTRAST), "{color} on {background}: {ratios:?}");
    }
}

#[test]
fn every_bar_is_seen_in_the_light_and_in_the_dark() {
    let kinds = [Level::ERROR, Level::WARN, Level::INFO].map(|level| error(level, "a", 9));
    let html = texts(&notice(kinds.to_vec())).html;
    let after =
        |text: &'static str| html.split(text).skip(1).filter_map(|rest| rest.get(..7)).collect::<Vec<_>>();
    let bars = after("px solid ");
    let drawn: Vec<_> = bars.into_iter().filter(|color| *color != "#d0d7de").collect();
    assert_eq!(drawn.len(), 3 * 12);
    let [dark] = after(".bars td { border-color:")[..] else { panic!("{html}") };
    // WCAG's for what is no text.
    assert!(drawn.iter().all(|color| contrast(channels(color), channels("#ffffff")) >= 3.0), "{drawn:?}");
    assert!(contrast(channels(dark), channels("#161b22")) >= 3.0);
}

#[test]
fn the_html_brings_its_colors_and_loads_nothing() {
    for (name, notice) in Notice::examples().into_iter().chain([("full", full())]) {
        let html = texts(&notice).html;
        assert!(html.contains(r#"<meta name="color-scheme" content="light dark">"#));
        for absent in ["<img", "<script", "<link", "<a ", "src=", "url(", "@import", "http:"] {
            assert!(!html.replace("&#60;", "").contains(absent) || name == "hostile", "{name}: {absent}");
        }
        let markup: String = html.split('<').filter_map(|piece| piece.split('>').next()).collect();
        for absent in ["img", "script", "link", "href", "src=", "onerror", "url("] {
            assert!(!markup.contains(absent), "{name}: {absent}");
        }
        assert!(html.len() < 64 * 1024, "{name}");
        assert!(html.lines().all(|line| line.len() < 4096), "{name}");
    }
}
