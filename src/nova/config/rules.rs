//! The rules behind Nova's refusals: what `pvm explain` says of each. Traps that Nova takes in silence are under `lint`.

use crate::model::finding::{Rule, Severity};

/// A line oslo.config cannot read.
pub const INI_SYNTAX: Rule = Rule {
    code: "ini-syntax",
    severity: Severity::Error,
    summary: "a line of the file is not what oslo.config can read; no Nova service starts",
    page: "oslo.config reads a file line by line. A section header ends with ] and nothing follows it. An option is NAME = VALUE \
(or NAME: VALUE) in a section. A line that starts with a blank continues the option above; a blank line, a comment or a header ends \
that option. A comment has # or ; in the first column.

Check by hand: grep -n '^[[:space:]]' FILE shows every continuation line.

Fix: indent what belongs to a value, start everything else in the first column.",
};

/// Bytes that are not UTF-8.
pub const NOT_UTF8: Rule = Rule {
    code: "not-utf8",
    severity: Severity::Error,
    summary: "the file is not UTF-8; no Nova service starts",
    page: "Nova opens its files as UTF-8 text and stops at the first byte that is not.

Check by hand: iconv -f UTF-8 -t UTF-8 FILE >/dev/null says where.

Fix: save the file as UTF-8.",
};

/// `$name` that Nova cannot replace.
pub const SUBSTITUTION: Rule = Rule {
    code: "substitution",
    severity: Severity::Error,
    summary: "$NAME in a value names no option; the service stops when it reads the value",
    page: "Before Nova sees a value, oslo.config replaces $NAME and ${NAME} by the value of that option (first of [pci], then of \
[DEFAULT]; ${GROUP.NAME} of that group). An unknown name is fatal, a value that contains itself too. A $ that no name follows \
stays as it is.

Fix: write $$ for one $.",
};

/// `$name` that pvm does not look up.
pub const SUBSTITUTION_UNKNOWN: Rule = Rule {
    code: "substitution-unknown",
    severity: Severity::Warning,
    summary: "$NAME in a value stands for an option pvm does not look up, so the value is not known",
    page: "oslo.config replaces $NAME by the value of that option. pvm looks up only options that cannot hold a secret: those of \
[pci], the host's name ($host) and address ($my_ip). For any other it cannot say what Nova will read, and says so \
instead of guessing.

Fix: write the value itself.",
};

/// A value of an option with one value that oslo.config cannot read.
pub const OPTION_VALUE: Rule = Rule {
    code: "option-value",
    severity: Severity::Error,
    summary: "an option's value is not of its type; the service stops when it reads it",
    page: "Boolean options take true, yes, on, 1 and false, no, off, 0 in any case, nothing else. Whole numbers have a least value.

Fix: write one of these words.",
};

/// Not JSON.
pub const JSON_SYNTAX: Rule = Rule {
    code: "json-syntax",
    severity: Severity::Error,
    summary: "a value is not JSON; nova-compute does not start",
    page: "Each device_spec and each alias is one JSON text: names and text in double quotes, true, false and null in lower case, \
no comma behind the last member, no comments.

Check by hand: echo 'VALUE' | python3 -m json.tool

Fix: as the finding says. A value over several lines needs a blank before each line after the first.",
};

/// Python's own notation.
pub const PYTHON_NOT_JSON: Rule = Rule {
    code: "python-not-json",
    severity: Severity::Error,
    summary: "a value is written as Python, not as JSON; nova-compute does not start",
    page: "Single quotes, True, False, None and a comma behind the last member are Python. Nova reads JSON and refuses them, \
although some of its own documentation shows them.

Fix: \"text\" for 'text', true for True, false for False, null for None, no last comma.",
};

/// A comment inside a value.
pub const COMMENT_IN_VALUE: Rule = Rule {
    code: "comment-in-value",
    severity: Severity::Error,
    summary: "a comment behind or inside a value became part of it",
    page: "oslo.config knows a comment only by # or ; in the first column of a line. Behind a value, or indented inside a value of \
several lines, it is part of the value, and the value is no JSON any more.

Check by hand: grep -nE '^[^#;].*[}]].*[#;]' FILE

Fix: move the comment to a line of its own above the option.",
};

/// A value that ends too early.
pub const VALUE_CUT: Rule = Rule {
    code: "value-cut",
    severity: Severity::Error,
    summary: "a value over several lines is cut by a blank line, a comment or a line that is not indented",
    page: "A value goes on only over lines that start with a blank. A blank line, a comment in the first column or a line that starts in \
the first column ends it; such a line as \"name\": \"a1\" is then taken for an option of its own, silently.

Fix: indent every line after the first, without blank lines and comments between them.",
};

/// More than pvm reads.
pub const TOO_MUCH: Rule = Rule {
    code: "too-much",
    severity: Severity::Warning,
    summary: "a file has more errors or entries than pvm looks at, so its verdict is not complete",
    page: "pvm stops after 50 lines of one file that are no configuration, and reads 10,000 device_specs and 10,000 aliases. Beyond \
that the file is something else, or made to keep a checker busy.

Check by hand: file PATH; wc -l PATH

Fix: name the right file, or correct the errors shown and run again.",
};

/// Neither object nor list.
pub const SPEC_SHAPE: Rule = Rule {
    code: "spec-shape",
    severity: Severity::Error,
    summary: "a device_spec is neither an object nor a list of objects",
    page: "Each device_spec is one JSON object, or a list of objects, which count as if each stood alone.

Fix: device_spec = {\"vendor_id\": \"15b3\", \"product_id\": \"101e\"}",
};

/// Bad id.
pub const SPEC_ID: Rule = Rule {
    code: "spec-id",
    severity: Severity::Error,
    summary: "vendor_id or product_id of a device_spec is not a PCI id",
    page: "vendor_id and product_id are text: * or a hex number up to ffff. For a VF the product id is the VF's own, not the PF's.

Check by hand: lspci -nn shows [vendor:product] of each device.

Fix: \"vendor_id\": \"15b3\" with quotes.",
};

/// Bad address.
pub const SPEC_ADDRESS: Rule = Rule {
    code: "spec-address",
    severity: Severity::Error,
    summary: "the address of a device_spec is not one Nova can read",
    page: "An address is text, domain:bus:slot.function, each field * or one hex number (fields left out on the left are *), or an \
object of Python regular expressions with the keys domain, bus, slot, function. 8* or [0-3] in text are not allowed.

Fix: \"address\": \"0000:81:00.*\", or \"address\": {\"bus\": \"8[0-3]$\"}.",
};

/// Address and devname.
pub const SPEC_DEVNAME: Rule = Rule {
    code: "spec-devname",
    severity: Severity::Error,
    summary: "a device_spec has both address and devname",
    page: "devname is another way to give the address, by the name of a network interface. Nova refuses both together.

Fix: keep the address; interface names can change.",
};

/// Not a boolean word.
pub const SPEC_BOOLEAN: Rule = Rule {
    code: "spec-boolean",
    severity: Severity::Error,
    summary: "live_migratable, managed or one_time_use of a device_spec is not a boolean word",
    page: "These tags take yes, true, on, y, t, 1 and no, false, off, n, f, 0 in any case, or JSON's true and false.

Fix: \"live_migratable\": \"yes\"",
};

/// One-time use without Placement.
pub const ONE_TIME_USE: Rule = Rule {
    code: "one-time-use-without-placement",
    severity: Severity::Error,
    summary: "one_time_use needs [pci] report_in_placement",
    page: "A device for one use is reserved in Placement after its first guest. Without report_in_placement there is nothing to reserve, \
and Nova refuses to start.

Fix: report_in_placement = true in [pci] on that host (it cannot be switched off again), or drop one_time_use.",
};

/// remote_managed on a PF, or on nothing.
pub const REMOTE_MANAGED: Rule = Rule {
    code: "remote-managed-pf",
    severity: Severity::Error,
    summary: "remote_managed is set on a PF's address, or on an interface that does not exist",
    page: "remote_managed is for VFs whose PF belongs to another host (a SmartNIC). With a PF's exact address Nova tries to compare \
ids through a file that sysfs does not have, and stops. With a devname that does not exist it stops too.

Fix: give the VFs' own addresses, for example \"address\": \"0000:81:00.*\" with the VFs' product_id.",
};

/// The alias object's schema.
pub const ALIAS_SHAPE: Rule = Rule {
    code: "alias-shape",
    severity: Severity::Error,
    summary: "an alias is not an object with the members Nova's schema allows",
    page: "An alias is one JSON object (not a list) with a name and any of vendor_id, product_id, device_type, numa_policy, \
live_migratable, resource_class, traits, all of them text. Any other member is refused.

Fix: alias = {\"name\": \"a1\", \"vendor_id\": \"15b3\", \"product_id\": \"101e\", \"device_type\": \"type-VF\", \"live_migratable\": \"yes\"}",
};

/// A member's value.
pub const ALIAS_VALUE: Rule = Rule {
    code: "alias-value",
    severity: Severity::Error,
    summary: "a member of an alias has a value Nova's schema refuses",
    page: "name has 1 to 256 characters. vendor_id and product_id are exactly four hex digits. device_type is type-PCI, type-PF or \
type-VF. numa_policy is required, legacy, preferred or socket. live_migratable is a boolean word in quotes: unlike device_spec, \
an alias takes no JSON true or false.

Fix: as the finding says.",
};

/// Ids missing.
pub const ALIAS_IDS: Rule = Rule {
    code: "alias-ids-missing",
    severity: Severity::Error,
    summary: "an alias has not both vendor_id and product_id",
    page:
        "Nova refuses an alias without both ids, although its help calls product_id optional. With [filter_scheduler] \
pci_in_placement a resource_class alone is enough.

Check by hand: lspci -nn

Fix: give both ids.",
};

/// Same name, different kind.
pub const ALIAS_CONFLICT: Rule = Rule {
    code: "alias-conflict",
    severity: Severity::Error,
    summary: "aliases of one name differ in numa_policy or device_type, or lack device_type",
    page: "Aliases of the same name are alternatives. They must have the same numa_policy (legacy when absent) and the same \
device_type, and each must name its device_type: where it is absent Nova fails with the bare message 'dev_type'.

Fix: give each of them the same \"device_type\" and \"numa_policy\".",
};

/// Several specs with Placement.
pub const ALIAS_SEVERAL: Rule = Rule {
    code: "alias-several-with-placement",
    severity: Severity::Error,
    summary: "several aliases of one name, while pci_in_placement is on",
    page: "With [filter_scheduler] pci_in_placement Nova takes one alias per name only.

Fix: one alias with a resource_class, and the same resource_class in every device_spec it may use.",
};

/// YAML that cannot be read.
pub const YAML_SYNTAX: Rule = Rule {
    code: "yaml-syntax",
    severity: Severity::Error,
    summary: "a YAML file cannot be read, or device_spec and alias in it have the wrong form",
    page: "pvm reads device_spec and alias at the top of a YAML file or under pci, each a list of mappings with the keys that Nova's \
JSON has.

Fix:
  pci:
    device_spec:
      - {vendor_id: \"15b3\", product_id: \"101e\", live_migratable: \"yes\"}",
};

/// Every rule of this file.
pub const ALL: &[&Rule] = &[
    &INI_SYNTAX,
    &NOT_UTF8,
    &SUBSTITUTION,
    &SUBSTITUTION_UNKNOWN,
    &OPTION_VALUE,
    &JSON_SYNTAX,
    &PYTHON_NOT_JSON,
    &COMMENT_IN_VALUE,
    &VALUE_CUT,
    &TOO_MUCH,
    &SPEC_SHAPE,
    &SPEC_ID,
    &SPEC_ADDRESS,
    &SPEC_DEVNAME,
    &SPEC_BOOLEAN,
    &ONE_TIME_USE,
    &REMOTE_MANAGED,
    &ALIAS_SHAPE,
    &ALIAS_VALUE,
    &ALIAS_IDS,
    &ALIAS_CONFLICT,
    &ALIAS_SEVERAL,
    &YAML_SYNTAX,
];
