//! Where a component's types differ from those of its contract, by name.
//!
//! What the engine says of a wrong shape counts fields; an author wants to know which. The contract's
//! types are those of the version the component says it was built for.

use std::collections::BTreeMap;

use portcullis_sandbox::PluginKind;
use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::{PackageId, Resolve};

use super::sources;

/// Lines of an item, e.g. the fields of a record, by its kind and name: `record request`.
type Items = BTreeMap<String, Vec<String>>;

/// What differs, one clause each; empty where nothing does or nothing can be read.
pub(super) fn differences(component: &[u8], kind: PluginKind) -> Vec<String> {
    let mut found = Vec::new();
    for (package, own) in packages(component, kind).unwrap_or_default() {
        for (item, lines) in contract(&package).unwrap_or_default() {
            // Of what it imports a component names only what it needs.
            if package.starts_with("portcullis:common@") && !own.contains_key(&item) {
                continue;
            }
            if let Some(difference) = difference(&lines, own.get(&item)) {
                found.push(format!("{item} differs from {package}: {difference}"));
            }
        }
    }
    found
}

/// The items of a package of the contract, by its name and version (`portcullis:policy@0.1.0`).
fn contract(package: &str) -> Option<Items> {
    let mut resolve = Resolve::default();
    for (path, text) in sources::CONTRACT {
        let id = resolve.push_str(path, text).ok()?;
        if resolve.packages[id].name.to_string() == package {
            return printed(&resolve, id);
        }
    }
    None
}

fn difference(contract: &[String], own: Option<&Vec<String>>) -> Option<String> {
    let Some(own) = own else { return Some("it is missing".to_owned()) };
    let beyond = |lines: &[String], others: &[String]| {
        lines
            .iter()
            .filter(|line| !others.contains(line))
            .map(|line| format!("`{line}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let (more, less) = (beyond(own, contract), beyond(contract, own));
    match (more.as_str(), less.as_str()) {
        ("", "") if own == contract => None,
        ("", "") => Some("it has another order".to_owned()),
        (more, "") => Some(format!("it has {more}")),
        ("", less) => Some(format!("it lacks {less}")),
        (more, less) => Some(format!("it has {more} and lacks {less}")),
    }
}

/// The items of the kind's package and of the shared one, by the package's name and version.
fn packages(component: &[u8], kind: PluginKind) -> Option<BTreeMap<String, Items>> {
    let Ok(DecodedWasm::Component(resolve, _)) = wit_component::decode(component) else { return None };
    let mut read = BTreeMap::new();
    for (id, package) in resolve.packages.iter() {
        let name = &package.name;
        if name.namespace != "portcullis" || (name.name != kind.as_str() && name.name != "common") {
            continue;
        }
        read.insert(name.to_string(), printed(&resolve, id)?);
    }
    Some(read)
}

fn printed(resolve: &Resolve, package: PackageId) -> Option<Items> {
    let mut printer = WitPrinter::default();
    printer.emit_docs(false);
    printer.print(resolve, package, &[]).ok()?;
    Some(items(&printer.output.to_string()))
}

/// The printer writes an item per line two blanks deep, and what belongs to it four deep.
fn items(text: &str) -> Items {
    let mut found = Items::new();
    let mut open = None;
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim().trim_end_matches([',', ';']);
        match (depth, &open) {
            (2, _) if line.ends_with('{') => {
                let name = line.trim_end_matches('{').trim().to_owned();
                found.insert(name.clone(), Vec::new());
                open = Some(name);
            }
            (2, _) => {
                open = None;
                if let Some((name, rest)) = line.split_once(": ") {
                    found.insert(format!("function {name}"), vec![rest.to_owned()]);
                }
            }
            (4.., Some(name)) => found.entry(name.clone()).or_default().push(line.to_owned()),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "a test fails by panicking")]

    use portcullis_sandbox::component_kind;

    use super::*;
    use crate::plugins::{built_in, built_in_names};

    const TEXT: &str = "package a:b@0.1.0;\n\ninterface i {\n  use a:c/types@0.1.0.{x};\n\n  record request {\n    \
        raw: string,\n    size: u32,\n  }\n\n  enum mode {\n    safe,\n    full,\n  }\n\n  rules: func() -> list<string>;\n}\n";

    #[test]
    fn items_are_told_by_kind_and_name() {
        let read = items(TEXT);
        assert_eq!(read.keys().collect::<Vec<_>>(), ["enum mode", "function rules", "record request"]);
        assert_eq!(read["record request"], ["raw: string", "size: u32"]);
    }

    #[test]
    fn a_difference_names_what_is_more_and_what_is_less() {
        let lines = |list: &[&str]| list.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let contract = lines(&["a: u8", "b: u8"]);
        let told = |own: &[&str]| difference(&contract, Some(&lines(own))).unwrap_or_default();
        assert_eq!(told(&["a: u8", "b: u8"]), "");
        assert_eq!(told(&["b: u8", "a: u8"]), "it has another order");
        assert_eq!(told(&["a: u8", "b: u16"]), "it has `b: u16` and lacks `b: u8`");
        assert_eq!(difference(&contract, None).as_deref(), Some("it is missing"));
    }

    #[test]
    fn built_in_plugins_have_the_shape_of_their_contract() {
        for name in built_in_names() {
            let bytes = built_in(name).unwrap_or_default();
            let Ok(kind) = component_kind(name, bytes) else { panic!("{name} is of no kind") };
            let own = packages(bytes, kind).unwrap_or_default();
            assert_eq!(own.len(), 2, "{name}");
            assert!(own.keys().all(|package| contract(package).is_some_and(|items| !items.is_empty())), "{name}");
            assert_eq!(differences(bytes, kind), Vec::<String>::new());
        }
    }

    #[test]
    fn every_version_of_the_contract_can_be_compared() {
        let record = |version| contract(version).and_then(|items| items.get("record request").cloned());
        let (old, new) = (record("portcullis:policy@0.1.0"), record("portcullis:policy@0.2.0"));
        assert_eq!(
            difference(&old.unwrap_or_default(), new.as_ref()).as_deref(),
            Some("it has `earlier: list<earlier-decision>`")
        );
    }
}
