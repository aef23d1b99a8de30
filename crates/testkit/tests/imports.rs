//! Files that lie beside each other do not import one another in a circle: what two of them need lies in a file below both.
//!
//! A file may use the names of its parent module. A file `a.rs` and its folder `a/` count as one. Tests may use what they like.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by their path from the crate's root; the root itself has none.
type Modules = BTreeSet<Vec<String>>;
/// For each folder (a module's path) and module in it, the siblings that it uses.
type Uses = BTreeMap<(Vec<String>, String), BTreeSet<String>>;

#[test]
fn no_siblings_import_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut crates: Vec<PathBuf> = fs::read_dir(root.join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .chain(["fuzz", "examples/digits"].map(|path| root.join(path)))
        .filter(|path| path.join("src").is_dir())
        .collect();
    crates.sort();
    assert!(crates.len() > 10, "{crates:?}");
    let mut circles = Vec::new();
    for path in &crates {
        for circle in circles_of(&files(&path.join("src"))) {
            let name = path.file_name().unwrap().to_string_lossy();
            circles.push(format!("{name}: {circle}"));
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_and_what_is_none_is_not() {
    let file = |path: &str, text: &str| {
        let path = path.split('/').filter(|part| !part.is_empty());
        (path.map(str::to_owned).collect(), text.to_owned())
    };
    let found = |files: &[(Vec<String>, String)]| circles_of(&files.iter().cloned().collect());
    let circle = [
        file("", "mod a; mod b; mod c;"),
        file("a", "use crate::{Error, b::{self, B}};"),
        file("b", "// use crate::d;\nuse crate::c;"),
        file("b/inner", "fn f() { crate::a::f() }"),
        file("c", ""),
    ];
    assert_eq!(found(&circle), ["a -> b -> a"]);
    let none = [
        file("", "mod a; mod b; pub use a::A;"),
        file(
            "a",
            "use crate::b;\n#[cfg(test)]\nmod tests { use crate::b; }",
        ),
        file(
            "b",
            "use crate::A;\nuse super::Other;\n#[cfg(test)]\nmod tests { use crate::a; }",
        ),
    ];
    assert!(found(&none).is_empty());
    let deep = [
        file("", ""),
        file("f", ""),
        file("f/x", "use super::y::Y;"),
        file("f/y", "use super::super::f::x;"),
    ];
    assert_eq!(found(&deep), ["f: x -> y -> x"]);
}

/// The modules of a crate with their texts.
fn files(source: &Path) -> BTreeMap<Vec<String>, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // Programs of their own.
                if path.file_name().unwrap() != "bin" {
                    folders.push(path);
                }
                continue;
            }
            if path.extension().is_none_or(|ending| ending != "rs") {
                continue;
            }
            let relative = path.strip_prefix(source).unwrap().with_extension("");
            let mut module: Vec<String> = relative
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            if module.last().is_some_and(|last| last == "tests") {
                continue;
            }
            if matches!(
                module.last().map(String::as_str),
                Some("lib" | "main" | "mod")
            ) {
                module.pop();
            }
            found.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// A circle of each folder that has one, in words.
fn circles_of(files: &BTreeMap<Vec<String>, String>) -> Vec<String> {
    let mut modules: Modules = files.keys().cloned().collect();
    for module in files.keys() {
        for end in 0..module.len() {
            modules.insert(module[..end].to_vec());
        }
    }
    let mut uses = Uses::new();
    for (module, text) in files {
        for used in paths(&code(text), module) {
            let same = module.iter().zip(&used).take_while(|(a, b)| a == b).count();
            if same < module.len() && same < used.len() && modules.contains(&used[..=same]) {
                let folder = module[..same].to_vec();
                let users = uses.entry((folder, module[same].clone())).or_default();
                users.insert(used[same].clone());
            }
        }
    }
    let folders: BTreeSet<&Vec<String>> = uses.keys().map(|(folder, _)| folder).collect();
    let circles = folders.into_iter().filter_map(|folder| {
        let edges: BTreeMap<&str, &BTreeSet<String>> = uses
            .iter()
            .filter(|((of, _), _)| of == folder)
            .map(|((_, module), used)| (module.as_str(), used))
            .collect();
        let circle = edges.keys().find_map(|start| circle(start, &edges))?;
        let circle = circle.join(" -> ");
        Some(if folder.is_empty() {
            circle
        } else {
            format!("{}: {circle}", folder.join("::"))
        })
    });
    circles.collect()
}

/// The shortest way from `start` back to it.
fn circle(start: &str, edges: &BTreeMap<&str, &BTreeSet<String>>) -> Option<Vec<String>> {
    let mut ways: Vec<Vec<String>> = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in edges
                .get(way.last()?.as_str())
                .into_iter()
                .copied()
                .flatten()
            {
                let mut way = way.clone();
                way.push(next.clone());
                if next == start {
                    return Some(way);
                }
                if seen.insert(next.clone()) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

/// A file without comments, texts and tests.
fn code(text: &str) -> String {
    let text = match text.find("#[cfg(test)]\nmod tests") {
        Some(tests) => &text[..tests],
        None => text,
    };
    let mut out = String::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or("");
        // Texts hold no paths of modules that matter; a quotation mark in a character does not begin one.
        let line = line.replace("'\"'", "").replace("\\\"", "");
        let plain: Vec<&str> = line.split('"').step_by(2).collect();
        out.push_str(&plain.join("\"\""));
        out.push('\n');
    }
    out
}

/// The paths from the crate's root that the code of `module` names.
fn paths(code: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let bytes = code.as_bytes();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = at.checked_sub(1).map(|before| bytes[before]);
            if before.is_some_and(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b)) {
                continue;
            }
            let mut base = match start {
                "crate::" => Vec::new(),
                "self::" => module.to_vec(),
                _ => module[..module.len().saturating_sub(1)].to_vec(),
            };
            let mut rest = &code[at + start.len()..];
            while let Some(further) = rest.strip_prefix("super::") {
                base.pop();
                rest = further;
            }
            tree(rest, &base, &mut found);
        }
    }
    found
}

/// Follow a path or a tree of `use`; what is left behind it.
fn tree<'a>(text: &'a str, base: &[String], found: &mut BTreeSet<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(behind) = rest.strip_prefix('}') {
                return behind;
            }
            let before = rest.len();
            rest = tree(rest, base, found);
            if rest.len() == before {
                return rest;
            }
        }
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let mut path = base.to_vec();
    if !name.is_empty() && name != "self" {
        path.push(name.to_owned());
    }
    found.insert(path.clone());
    if let Some(further) = rest.strip_prefix("::") {
        return tree(further, &path, found);
    }
    let renamed = rest.trim_start().strip_prefix("as ");
    renamed.map_or(rest, |rest| {
        rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
    })
}
