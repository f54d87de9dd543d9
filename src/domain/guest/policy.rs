//! The policy in a guest's metadata.

use roxmltree::Node;

use crate::domain::xml;
use crate::model::policy::{BadPolicy, NAMESPACE, Policy, element};

/// Reads it; a guest without one has an empty one.
pub(super) fn read(domain: Node<'_, '_>) -> Result<Policy, BadPolicy> {
    let metadata = xml::child(domain, "metadata");
    let elements = metadata.into_iter().flat_map(|metadata| metadata.children());
    let policies = elements.filter(|node| node.tag_name().namespace() == Some(NAMESPACE)).filter_map(element);
    // libvirt keeps one element of a namespace.
    let attributes = policies.flat_map(|policy| policy.attributes());
    Policy::of(attributes.map(|attribute| (attribute.name(), attribute.value())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(metadata: &str) -> Result<Policy, BadPolicy> {
        let text = format!("<domain><metadata xmlns:pvm='urn:pvm:migration:1'>{metadata}</metadata></domain>");
        read(roxmltree::Document::parse(&text).unwrap().root_element())
    }

    #[test]
    fn it_stands_by_itself_or_in_the_mark_of_a_migration() {
        let kept = Policy { drain: Some(false), ..Policy::default() };
        assert_eq!(of(""), Ok(Policy::default()));
        assert_eq!(of("<other:policy xmlns:other='urn:other' drain='no'/><policy drain='no'/>"), Ok(Policy::default()));
        assert_eq!(of("<pvm:policy drain='no'/>"), Ok(kept.clone()));
        assert_eq!(of("<pvm:migration id='m-1'><pvm:policy drain='no'/></pvm:migration>"), Ok(kept));
        assert!(of("<pvm:policy drain='perhaps'/>").is_err());
    }
}
