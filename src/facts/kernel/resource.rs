//! The `resource` attribute: one line per region, `start end flags` (kernel: `drivers/pci/pci-sysfs.c`, `resource_show`).

use crate::model::snapshot::device::Bar;

// include/linux/ioport.h
const IO: u64 = 0x100;
const PREFETCH: u64 = 0x2000;
const MEM_64: u64 = 0x10_0000;
/// Line of the expansion ROM.
const ROM: usize = 6;

/// Base address registers in use, and the size of the expansion ROM. `None` when the text is not the kernel's.
pub(crate) fn parse(text: &str) -> Option<(Vec<Bar>, Option<u64>)> {
    let mut bars = Vec::new();
    let mut rom = None;
    for (index, line) in text.lines().enumerate().take(ROM + 1) {
        let (start, end, flags) = region(line)?;
        if flags == 0 || end < start || end == 0 {
            continue;
        }
        let size = (end - start).checked_add(1)?;
        if index == ROM {
            rom = Some(size);
        } else {
            bars.push(Bar {
                index: u8::try_from(index).ok()?,
                kind: if flags & IO != 0 { "io" } else { "memory" }.to_owned(),
                size,
                prefetchable: flags & PREFETCH != 0,
                is_64bit: flags & MEM_64 != 0,
            });
        }
    }
    (text.lines().count() >= ROM).then_some((bars, rom))
}

fn region(line: &str) -> Option<(u64, u64, u64)> {
    let mut fields = line.split(' ').map(|f| u64::from_str_radix(f.strip_prefix("0x")?, 16).ok());
    let region = (fields.next()??, fields.next()??, fields.next()??);
    fields.next().is_none().then_some(region)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY: &str = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";

    #[test]
    fn reads_sizes_and_kinds() {
        let text = format!(
            "0x00000000fe800000 0x00000000fe803fff 0x000000000014220c\n{EMPTY}\
             0x000000000000e000 0x000000000000e01f 0x0000000000040101\n{EMPTY}{EMPTY}{EMPTY}\
             0x00000000fe900000 0x00000000fe97ffff 0x0000000000046200\n"
        );
        let (bars, rom) = parse(&text).unwrap();
        assert_eq!(bars.len(), 2);
        assert_eq!((bars[0].index, bars[0].size, bars[0].kind.as_str()), (0, 0x4000, "memory"));
        assert!(bars[0].prefetchable && bars[0].is_64bit);
        assert_eq!((bars[1].index, bars[1].size, bars[1].kind.as_str()), (2, 0x20, "io"));
        assert_eq!(rom, Some(0x8_0000));
    }

    #[test]
    fn refuses_what_is_not_the_kernels() {
        for text in ["", "0x0 0x1", "a b c\n", "0x0 0x0 0x0\n"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        let whole = format!("0x0000000000000000 0xffffffffffffffff 0x0000000000000200\n{}", EMPTY.repeat(6));
        assert_eq!(parse(&whole), None, "a region of 2^64 bytes");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = parse(&text);
        }
    }
}
