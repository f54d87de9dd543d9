//! Which of libvirt's secrets have a value. Names of files only: a value is never read.

use std::collections::BTreeMap;
use std::io;

use roxmltree::Document;

use super::sysfs::Tree;
use crate::model::snapshot::Unknown;
use crate::model::snapshot::host::Host;

/// Where libvirt keeps secrets: `UUID.xml` says what one is for, a file of the same stem is its value.
const FOLDER: &str = "etc/libvirt/secrets";
const MOST_BYTES: usize = 64 << 10;
/// No host keeps more.
const MOST_SECRETS: usize = 10_000;

/// Reads them. Secrets that live in the daemon's memory only (`ephemeral='yes'`) have no file.
pub(super) fn read(tree: &Tree, host: &mut Host) {
    match tree.node(FOLDER).and_then(|folder| folder.names()) {
        Ok(names) => host.secret_values = Some(values(tree, &names)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            host.unknown.push(Unknown::new("secret_values", format!("only root may read {FOLDER}: run pvm as root")));
        }
        // Without the folder there is none in a file.
        Err(_) if tree.has("etc/libvirt") => host.secret_values = Some(BTreeMap::new()),
        Err(_) => host.unknown.push(Unknown::new("secret_values", format!("there is no {FOLDER}"))),
    }
}

/// By UUID and by usage, whether a value is beside the definition.
fn values(tree: &Tree, names: &[String]) -> BTreeMap<String, bool> {
    let mut values = BTreeMap::new();
    for stem in names.iter().filter_map(|name| name.strip_suffix(".xml")).take(MOST_SECRETS) {
        let is_value =
            |name: &String| name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.') && rest != ".xml");
        let has = names.iter().any(is_value);
        let text = tree.read(&format!("{FOLDER}/{stem}.xml"), MOST_BYTES).ok().flatten().unwrap_or_default();
        values.extend(usage(&String::from_utf8_lossy(&text)).map(|usage| (usage, has)));
        values.insert(stem.to_owned(), has);
    }
    values
}

/// What the secret is for: the one text in `<usage>`.
fn usage(text: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let usage = document.root_element().children().find(|child| child.has_tag_name("usage"))?;
    let name = usage.children().find(roxmltree::Node::is_element)?.text()?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes the files it reads")]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_by_its_file_and_never_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join(FOLDER);
        std::fs::create_dir_all(&at).unwrap();
        let ceph = "<secret ephemeral='no' private='yes'><usage type='ceph'><name>client.nova</name></usage></secret>";
        for (name, text) in [("one.xml", ceph), ("one.base64", "eA=="), ("two.xml", "<secret/>"), ("three.base64", "")]
        {
            std::fs::write(at.join(name), text).unwrap();
        }
        let mut host = Host::default();
        read(&Tree::open(dir.path()).unwrap(), &mut host);
        let found: Vec<_> = host.secret_values.iter().flatten().map(|(name, has)| (name.as_str(), *has)).collect();
        assert_eq!(found, [("client.nova", true), ("one", true), ("two", false)]);
    }

    #[test]
    fn without_the_folder_no_secret_is_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut host = Host::default();
        read(&Tree::open(dir.path()).unwrap(), &mut host);
        assert_eq!((host.secret_values.take(), host.unknown.len()), (None, 1), "no libvirt at all");
        std::fs::create_dir_all(dir.path().join("etc/libvirt")).unwrap();
        read(&Tree::open(dir.path()).unwrap(), &mut host);
        assert_eq!(host.secret_values, Some(BTreeMap::new()));
    }
}
