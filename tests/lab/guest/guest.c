// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tiny guest of the lab: proves, by itself, that a migration kept its state.
 *
 * It makes a nonce when it starts, keeps its memory full of values derived from
 * the nonce, and writes one such value into a register of every 82576 VF it
 * owns. Several times a second it checks all of them and says so on the serial
 * port, on one line:
 *
 *     lab: tick=7 nonce=1f2e3d4c memory=ok vf=05:89abcdef:89abcdef
 *
 * with one vf=SLOT:WRITTEN:READ for each VF. It acknowledges PCI hot-unplug as
 * an operating system would, unless its command line has the word "deaf".
 *
 * It runs on the machine type "pc" and looks at PCI bus 0 only.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

/* ---- ports, serial line ------------------------------------------------ */

static inline void outb(u16 port, u8 val)
{
	asm volatile("outb %0, %1" : : "a"(val), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 val;

	asm volatile("inb %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static inline void outl(u16 port, u32 val)
{
	asm volatile("outl %0, %1" : : "a"(val), "Nd"(port));
}

static inline u32 inl(u16 port)
{
	u32 val;

	asm volatile("inl %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

#define COM1		0x3f8
#define COM1_LSR	(COM1 + 5)
#define LSR_EMPTY	0x20

static void serial_init(void)
{
	outb(COM1 + 1, 0);	/* no interrupts */
	outb(COM1 + 3, 0x80);	/* divisor follows */
	outb(COM1 + 0, 1);	/* 115200 baud */
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);	/* 8 bits, no parity, 1 stop bit */
}

static void put_char(char c)
{
	while (!(inb(COM1_LSR) & LSR_EMPTY))
		;
	outb(COM1, c);
}

static void put(const char *s)
{
	while (*s)
		put_char(*s++);
}

static void put_hex(u32 val, int digits)
{
	while (digits--)
		put_char("0123456789abcdef"[val >> (4 * digits) & 15]);
}

static void put_dec(u32 val)
{
	char text[11];
	int i = sizeof(text) - 1;

	text[i] = 0;
	do {
		text[--i] = '0' + val % 10;
		val /= 10;
	} while (val);
	put(text + i);
}

/* ---- the timer ---------------------------------------------------------- */

#define PIC1		0x20
#define PIC2		0xa0
#define TIMER_VECTOR	0x20
#define TICK_TIMERS	4	/* timer interrupts, 18 a second, per tick */

extern volatile u32 timer_count;
extern void timer_entry(void);

struct idt_gate {
	u16 low;
	u16 selector;
	u16 flags;
	u16 high;
};

static struct idt_gate idt[TIMER_VECTOR + 1];

static void timer_init(void)
{
	struct {
		u16 limit;
		u32 base;
	} __attribute__((packed)) idt_pointer = { sizeof(idt) - 1, (u32)idt };
	u32 entry = (u32)timer_entry;

	idt[TIMER_VECTOR].low = entry;
	idt[TIMER_VECTOR].selector = 0x08;
	idt[TIMER_VECTOR].flags = 0x8e00;	/* present, 32-bit interrupt gate */
	idt[TIMER_VECTOR].high = entry >> 16;
	asm volatile("lidt %0" : : "m"(idt_pointer));

	outb(PIC1, 0x11);
	outb(PIC2, 0x11);
	outb(PIC1 + 1, TIMER_VECTOR);
	outb(PIC2 + 1, TIMER_VECTOR + 8);
	outb(PIC1 + 1, 4);
	outb(PIC2 + 1, 2);
	outb(PIC1 + 1, 1);
	outb(PIC2 + 1, 1);
	outb(PIC1 + 1, 0xfe);			/* the timer only */
	outb(PIC2 + 1, 0xff);

	outb(0x43, 0x34);			/* channel 0, the longest period */
	outb(0x40, 0);
	outb(0x40, 0);
	asm volatile("sti");
}

static void wait_tick(void)
{
	static u32 next;

	next += TICK_TIMERS;
	while ((int)(timer_count - next) < 0)
		asm volatile("hlt");
	next = timer_count;
}

/* ---- values derived from the nonce -------------------------------------- */

static u32 nonce;

static u32 mix(u32 a, u32 b)
{
	u32 x = nonce ^ a * 0x9e3779b1u ^ b * 0x85ebca77u;

	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

/* ---- memory: a part of it is written anew on every tick ----------------- */

#define PAGES		1024
#define PAGE_WORDS	1024
#define PARTS		16

static u32 memory[PAGES][PAGE_WORDS] __attribute__((aligned(4096)));
static u32 part_tick[PARTS];

static void memory_write(u32 part, u32 tick)
{
	u32 page;

	part_tick[part] = tick;
	for (page = part; page < PAGES; page += PARTS) {
		memory[page][0] = mix(page, tick);
		memory[page][PAGE_WORDS - 1] = ~memory[page][0];
	}
}

static u32 memory_bad_pages(void)
{
	u32 page, bad = 0;

	for (page = 0; page < PAGES; page++) {
		u32 want = mix(page, part_tick[page % PARTS]);

		if (memory[page][0] != want || memory[page][PAGE_WORDS - 1] != ~want)
			bad++;
	}
	return bad;
}

/* ---- PCI ----------------------------------------------------------------- */

#define SLOTS		32
#define VF_ID		0x10ca8086u
#define VF_NOTE		0x0820		/* a word of the VF's mailbox memory */
#define PCI_COMMAND	0x04
#define PCI_BAR0	0x10
#define COMMAND_ON	0x06		/* memory, bus master */
#define MMIO_BASE	0xe0000000u	/* for VFs the firmware has not seen */
#define MMIO_SIZE	0x10000u

struct vf {
	volatile u32 *note;
	u32 written;
};

static struct vf vfs[SLOTS];

static u32 pci_read(u32 slot, u32 reg)
{
	outl(0xcf8, 0x80000000u | slot << 11 | reg);
	return inl(0xcfc);
}

static void pci_write(u32 slot, u32 reg, u32 val)
{
	outl(0xcf8, 0x80000000u | slot << 11 | reg);
	outl(0xcfc, val);
}

static void vf_adopt(u32 slot, u32 tick)
{
	u32 bar = pci_read(slot, PCI_BAR0) & ~15u;

	if (!bar) {
		bar = MMIO_BASE + slot * MMIO_SIZE;
		pci_write(slot, PCI_BAR0, bar);
		pci_write(slot, PCI_BAR0 + 4, 0);
	}
	pci_write(slot, PCI_COMMAND, (pci_read(slot, PCI_COMMAND) & 0xffff) | COMMAND_ON);
	vfs[slot].note = (volatile u32 *)(bar + VF_NOTE);
	vfs[slot].written = mix(~slot, tick);
	*vfs[slot].note = vfs[slot].written;
}

static void vfs_find(u32 tick)
{
	u32 slot;

	for (slot = 0; slot < SLOTS; slot++) {
		int present = pci_read(slot, 0) == VF_ID;

		if (present && !vfs[slot].note)
			vf_adopt(slot, tick);
		else if (!present)
			vfs[slot].note = 0;
	}
}

/* ACPI PCI hot-plug of the PIIX4: which slots are to go, and letting them go. */
#define HOTPLUG_DOWN	0xae04
#define HOTPLUG_EJECT	0xae08
#define HOTPLUG_BUS	0xae10

static void unplug_acknowledge(void)
{
	u32 slot, down;

	outl(HOTPLUG_BUS, 0);
	down = inl(HOTPLUG_DOWN);
	if (!down)
		return;
	for (slot = 0; slot < SLOTS; slot++)
		if (down >> slot & 1)
			vfs[slot].note = 0;
	outl(HOTPLUG_EJECT, down);
}

/* ---- the guest ----------------------------------------------------------- */

struct multiboot_info {
	u32 flags;
	u32 mem_lower;
	u32 mem_upper;
	u32 boot_device;
	const char *command_line;
};

#define MULTIBOOT_COMMAND_LINE	(1 << 2)

static int has_word(const struct multiboot_info *info, const char *word)
{
	const char *at, *a, *b;

	if (!(info->flags & MULTIBOOT_COMMAND_LINE))
		return 0;
	for (at = info->command_line; *at; at++) {
		for (a = at, b = word; *b && *a == *b; a++, b++)
			;
		if (!*b)
			return 1;
	}
	return 0;
}

static void report(u32 tick)
{
	u32 slot, bad = memory_bad_pages();

	put("lab: tick=");
	put_dec(tick);
	put(" nonce=");
	put_hex(nonce, 8);
	put(" memory=");
	if (bad)
		put_dec(bad);
	else
		put("ok");
	for (slot = 0; slot < SLOTS; slot++) {
		if (!vfs[slot].note)
			continue;
		put(" vf=");
		put_hex(slot, 2);
		put_char(':');
		put_hex(vfs[slot].written, 8);
		put_char(':');
		put_hex(*vfs[slot].note, 8);
	}
	put("\n");
}

void guest_main(const struct multiboot_info *info)
{
	int deaf = has_word(info, "deaf");
	u32 tick, low, high;

	serial_init();
	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	nonce = low * 0x9e3779b1u ^ high;
	for (tick = 0; tick < PARTS; tick++)
		memory_write(tick, tick);
	timer_init();

	for (;; tick++) {
		if (!deaf)
			unplug_acknowledge();
		vfs_find(tick);
		report(tick);
		memory_write(tick % PARTS, tick);
		wait_tick();
	}
}
