//! What is kept to when a guest is moved, by its own metadata or by the operator's file. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use roxmltree::Node;

use super::paste::quoted;
use super::pattern::matches;
use super::snapshot::Domain;
use super::time::duration;

/// The prefix of pvm's element in the metadata of a guest.
pub(crate) const PREFIX: &str = "pvm";
/// The namespace of that element: the policy, and the mark of a migration as long as there is one.
pub(crate) const NAMESPACE: &str = "urn:pvm:migration:1";
/// The policy's own name.
pub(crate) const ELEMENT: &str = "policy";

/// The policy in pvm's element of a guest's metadata: the element itself, or one inside the mark of a migration.
pub(crate) fn element<'a, 'i>(of_metadata: Node<'a, 'i>) -> Option<Node<'a, 'i>> {
    let is_policy = |node: &Node<'_, '_>| node.is_element() && node.tag_name().name() == ELEMENT;
    std::iter::once(of_metadata).chain(of_metadata.children()).find(is_policy)
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The longest pause that the estimate may reach.
    pub max_pause: Option<Duration>,
    /// Whether a drain may move the guest.
    pub drain: Option<bool>,
}

/// Why the policy in a guest's metadata is none that this pvm can keep to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy in the guest's metadata cannot be read: {name}='{value}': {why}")]
pub struct BadPolicy {
    name: String,
    value: String,
    why: String,
}

impl Policy {
    /// The policy that these attributes make. One that is not known may ask for anything: it is not passed over.
    pub(crate) fn of<'a>(attributes: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, BadPolicy> {
        let mut policy = Self::default();
        for (name, value) in attributes {
            let bad = |why: &str| BadPolicy { name: name.to_owned(), value: value.to_owned(), why: why.to_owned() };
            match (name, value) {
                ("max_pause", time) => policy.max_pause = Some(duration(time).map_err(|why| bad(&why))?),
                ("drain", "yes") => policy.drain = Some(true),
                ("drain", "no") => policy.drain = Some(false),
                ("drain", _) => return Err(bad("it is yes or no")),
                _ => return Err(bad("this pvm knows max_pause and drain")),
            }
        }
        Ok(policy)
    }

    /// The element as libvirt takes it, which adds prefix and namespace; `None`: there is nothing to say.
    pub(crate) fn element(&self) -> Option<String> {
        let pause = self.max_pause.map(|time| format!(" max_pause=\"{}ms\"", time.as_millis()));
        let drain = self.drain.map(|may| format!(" drain=\"{}\"", if may { "yes" } else { "no" }));
        let attributes: String = pause.into_iter().chain(drain).collect();
        (!attributes.is_empty()).then(|| format!("<{ELEMENT}{attributes}/>"))
    }

    /// The command that gives a guest this policy in its metadata.
    pub(crate) fn command(&self, domain: &Domain) -> String {
        let what = match self.element() {
            Some(element) => format!("--key {PREFIX} --set {}", quoted(&element)),
            None => "--remove".to_owned(),
        };
        let config = if domain.persistent { " --config" } else { "" };
        format!("virsh metadata {} --uri {NAMESPACE} {what} --live{config}", quoted(&domain.name))
    }
}

/// A value, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruled<T> {
    /// The value.
    pub value: T,
    /// Who says so.
    pub by: By,
}

/// Who says what is kept to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// The operator, by the option or the setting for all guests.
    Operator,
    /// The operator's file, by a name or pattern.
    File(String),
    /// The guest's metadata.
    Guest,
}

impl By {
    /// In words; `what` is the option.
    pub(crate) fn words(&self, what: &str) -> String {
        match self {
            Self::Operator => what.to_owned(),
            Self::File(pattern) => format!("guests: {pattern} in pvm.yaml"),
            Self::Guest => "the guest's metadata".to_owned(),
        }
    }
}

/// The policies of the operator's file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    /// By name or pattern, in the order of the file's keys.
    pub guests: Vec<(String, Policy)>,
    /// Patterns: guests that match one and are on different hosts are not brought together.
    pub apart: Vec<String>,
    /// UUIDs of guests that were on one host before: nothing keeps these apart from each other.
    pub together: BTreeSet<String>,
}

/// Whether a name, UUID or pattern means this guest.
pub(crate) fn means(pattern: &str, domain: &Domain) -> bool {
    let display = domain.nova.as_ref().and_then(|nova| nova.name.as_deref());
    pattern.eq_ignore_ascii_case(&domain.uuid)
        || std::iter::once(domain.name.as_str()).chain(display).any(|name| matches(pattern, name))
}

impl Policies {
    /// Every policy for a guest, with who says so. All of them hold: the strictest counts.
    fn of<'a>(&'a self, domain: &'a Domain, own: &'a Policy) -> impl Iterator<Item = Ruled<&'a Policy>> {
        let file = self.guests.iter().filter(|(pattern, _)| means(pattern, domain));
        let file = file.map(|(pattern, policy)| Ruled { value: policy, by: By::File(pattern.clone()) });
        file.chain([Ruled { value: own, by: By::Guest }])
    }

    /// The longest pause that this guest may have, beside what the operator allows all of them.
    pub(crate) fn max_pause(&self, all: Option<Duration>, domain: &Domain, own: &Policy) -> Option<Ruled<Duration>> {
        let policies = self.of(domain, own);
        let of_guest = policies.filter_map(|rule| Some(Ruled { value: rule.value.max_pause?, by: rule.by }));
        all.map(|value| Ruled { value, by: By::Operator }).into_iter().chain(of_guest).min_by_key(|rule| rule.value)
    }

    /// Who says that no drain may move this guest.
    pub(crate) fn keeps(&self, domain: &Domain, own: &Policy) -> Option<By> {
        self.of(domain, own).find(|rule| rule.value.drain == Some(false)).map(|rule| rule.by)
    }

    /// The patterns by which a guest is kept apart from others.
    pub(crate) fn apart<'a>(&'a self, domain: &'a Domain) -> impl Iterator<Item = &'a str> {
        self.apart.iter().map(String::as_str).filter(|pattern| means(pattern, domain))
    }

    /// Whether a guest that runs elsewhere is one that a guest of this pattern is kept apart from.
    pub(crate) fn is_apart(&self, pattern: &str, guest: &Domain, other: &Domain) -> bool {
        let same = guest.uuid.eq_ignore_ascii_case(&other.uuid);
        !same && other.is_active() && means(pattern, other) && !self.together.contains(&other.uuid)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guest(name: &str) -> Domain {
        Domain { name: name.into(), uuid: format!("0aeb4c2e-1111-4222-8333-{name:>012}"), ..Domain::default() }
    }

    #[test]
    fn what_cannot_be_read_is_said_and_not_passed_over() {
        let of = |attributes: &[(&str, &str)]| Policy::of(attributes.iter().copied());
        let both = Policy { max_pause: Some(Duration::from_secs(2)), drain: Some(false) };
        assert_eq!(of(&[("max_pause", "2s"), ("drain", "no")]), Ok(both.clone()));
        assert_eq!(of(&[]), Ok(Policy::default()));
        for wrong in [("max_pause", "soon"), ("drain", "No"), ("drian", "no"), ("max_pause", "0s")] {
            let said = of(&[wrong]).unwrap_err().to_string();
            assert!(said.contains(&format!("{}='{}'", wrong.0, wrong.1)), "{said}");
        }
        let transient = both.command(&guest("db 1"));
        assert_eq!(
            transient,
            "virsh metadata 'db 1' --uri urn:pvm:migration:1 --key pvm --set '<policy max_pause=\"2000ms\" drain=\"no\"/>' --live"
        );
        let persistent = Domain { persistent: true, ..guest("db") };
        assert!(Policy::default().command(&persistent).ends_with("--remove --live --config"));
    }

    fn policy() -> impl Strategy<Value = Policy> {
        (proptest::option::of(1u64..5), proptest::option::of(any::<bool>()))
            .prop_map(|(pause, drain)| Policy { max_pause: pause.map(Duration::from_secs), drain })
    }

    proptest! {
        /// Whatever else is said, nobody is paused longer than somebody allows, and nobody leaves whom somebody keeps.
        #[test]
        fn the_strictest_counts(
            file in proptest::collection::vec((proptest::sample::select(vec!["*", "db-*", "db-1", "web"]), policy()), 0..5),
            own in policy(),
            all in proptest::option::of(1u64..5),
        ) {
            let guests: Vec<_> = file.into_iter().map(|(pattern, policy)| (pattern.to_owned(), policy)).collect();
            let policies = Policies { guests, ..Policies::default() };
            let guest = guest("db-1");
            let meant: Vec<&Policy> = policies.guests.iter().filter(|(pattern, _)| pattern != "web").map(|(_, policy)| policy).chain([&own]).collect();
            let all = all.map(Duration::from_secs);
            let least = meant.iter().filter_map(|policy| policy.max_pause).chain(all).min();
            prop_assert_eq!(policies.max_pause(all, &guest, &own).map(|rule| rule.value), least);
            let is_kept = meant.iter().any(|policy| policy.drain == Some(false));
            prop_assert_eq!(policies.keeps(&guest, &own).is_some(), is_kept);
        }

        #[test]
        fn an_element_is_read_as_it_was_written(policy in policy()) {
            let read = policy.element().map_or(Ok(Policy::default()), |element| {
                let document = roxmltree::Document::parse(&element).unwrap();
                let attributes: Vec<_> = document.root_element().attributes().map(|a| (a.name().to_owned(), a.value().to_owned())).collect();
                Policy::of(attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            });
            prop_assert_eq!(read.unwrap(), policy);
        }
    }
}
