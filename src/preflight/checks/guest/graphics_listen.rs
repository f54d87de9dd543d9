//! Graphics servers can listen there.

use super::prelude::*;

check! {
    /// A graphics server listens on an address of the source.
    ///
    /// # Meaning
    /// A VNC or SPICE server bound to an address of one host cannot start on another. Addresses such as 0.0.0.0 and
    /// 127.0.0.1 exist everywhere.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element graphics/listen.
    /// # Fix
    /// <listen type='address' address='0.0.0.0'/>, or a listen network.
    "graphics-listen": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let everywhere =
        |address: &str| matches!(address, "0.0.0.0" | "::" | "::1" | "localhost" | "") || address.starts_with("127.");
    let (source, host) = (instance.source(), instance.destination());
    let sources = |address: &String| {
        let endpoint = &source.migration;
        source.addresses.as_ref().is_some_and(|own| own.contains(address))
            || endpoint.address.as_ref() == Some(address)
            || endpoint.hostname.as_ref() == Some(address)
    };
    let mut verdicts = Vec::new();
    for address in instance.guest.listens.iter().filter(|address| !everywhere(address)) {
        match &host.addresses {
            Some(own) if own.contains(address) => {}
            Some(_) => verdicts.push(Verdict::fail(format!(
                "a graphics server listens on {address}, which is no address of {}",
                name(host)
            ))),
            None if sources(address) => {
                verdicts.push(Verdict::fail(format!("a graphics server listens on {address}, which is the source's")));
            }
            None => verdicts.push(
                Verdict::unknown(format!(
                    "whether {} has the address {address} of a graphics server is not known",
                    name(host)
                ))
                .remedy(format!("ip addr show to {address}, on {}", name(host))),
            ),
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
