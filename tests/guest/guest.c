/*
 * The smallest guest that can show whether a live migration kept it alive: no operating system, no disk, no network.
 *
 * At boot it chooses a number (time stamp counter and clock, so another boot gives another one) and keeps it in memory
 * only. About four times a second it counts up, rewrites some pages of a 16 MiB working set after checking that they
 * still hold what it wrote, and prints a line on the first serial port:
 *
 *     guest: number=1f3a9c04 counter=57 memory=ok
 *
 * If it finds the virtual function of an Intel 82576 it plants the number in a register of the device too, and each line
 * says what the device holds (device=1f3a9c04). It acknowledges the hot-unplug of PCI devices (machine type "pc").
 *
 * Words on its command line: pages=N (pages rewritten per tick, default 16), eject-after=SECONDS (how long it lets a
 * hot-unplug request wait), eject=never.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#define WORKING_SET_PAGES 4096
#define PAGE_WORDS 1024
#define TICKS_PER_SECOND 4
#define COM1 0x3f8
#define VF_82576 0x10ca8086u
#define VF_SCRATCH 0x820 /* mailbox memory of the 82576 VF: keeps what is written to it */

static u32 working_set[WORKING_SET_PAGES][PAGE_WORDS] __attribute__((aligned(4096)));
static struct { u16 low, selector, flags, high; } __attribute__((packed)) interrupts[256];
extern void timer_entry(void);

static void out8(u16 port, u8 v) { asm volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
static u8 in8(u16 port) { u8 v; asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static void out32(u16 port, u32 v) { asm volatile("outl %0, %1" ::"a"(v), "Nd"(port)); }
static u32 in32(u16 port) { u32 v; asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }

static void put_char(char c)
{
	while (!(in8(COM1 + 5) & 0x20))
		;
	out8(COM1, c);
}

static void put(const char *s)
{
	for (; *s; s++)
		put_char(*s);
}

static void put_hex(u32 v)
{
	for (int shift = 28; shift >= 0; shift -= 4)
		put_char("0123456789abcdef"[(v >> shift) & 15]);
}

static void put_decimal(u32 v)
{
	char digits[11], *at = digits + 10;
	*at = 0;
	do
		*--at = '0' + v % 10;
	while (v /= 10);
	put(at);
}

/* Where the value of NAME= begins on the command line, or 0. */
static const char *option(const char *line, const char *name)
{
	for (; *line; line++) {
		const char *a = line, *b = name;
		while (*b && *a == *b)
			a++, b++;
		if (!*b)
			return a;
	}
	return 0;
}

static u32 number_option(const char *line, const char *name, u32 fallback)
{
	const char *at = option(line, name);
	if (!at || *at < '0' || *at > '9')
		return fallback;
	u32 v = 0;
	for (; *at >= '0' && *at <= '9'; at++)
		v = v * 10 + (*at - '0');
	return v;
}

static u32 config_read(u32 device, u32 offset)
{
	out32(0xcf8, 0x80000000u | device << 8 | offset);
	return in32(0xcfc);
}

/* The scratch register of the first 82576 VF on the first eight buses, or 0. */
static volatile u32 *find_vf(void)
{
	for (u32 device = 0; device < 8 << 8; device++)
		if (config_read(device, 0) == VF_82576) {
			u32 command = config_read(device, 4) & 0xffff;
			out32(0xcf8, 0x80000000u | device << 8 | 4);
			out32(0xcfc, command | 6); /* memory decoding, bus master */
			return (volatile u32 *)((config_read(device, 0x10) & ~15u) + VF_SCRATCH);
		}
	return 0;
}

static u32 boot_number(void)
{
	u32 low, high, v;
	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	v = low ^ high;
	for (u8 r = 0; r < 10; r++) { /* the clock's seconds to years */
		out8(0x70, r);
		v = (v ^ in8(0x71)) * 2654435761u;
	}
	return v ^ v >> 15;
}

static void start_timer(void)
{
	u32 entry = (u32)timer_entry;
	for (int i = 0; i < 256; i++) {
		interrupts[i].low = entry;
		interrupts[i].selector = 8;
		interrupts[i].flags = 0x8e00;
		interrupts[i].high = entry >> 16;
	}
	struct { u16 limit; u32 base; } __attribute__((packed)) table = { sizeof interrupts - 1, (u32)interrupts };
	asm volatile("lidt %0" ::"m"(table));
	static const u8 controller[][2] = { { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 }, { 0x21, 0xfe }, /* line 0 only */
		{ 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 2 }, { 0xa1, 1 }, { 0xa1, 0xff } };
	for (u32 i = 0; i < sizeof controller / 2; i++)
		out8(controller[i][0], controller[i][1]);
	out8(0x43, 0x34); /* channel 0, rate generator, full count: 18.2 times a second */
	out8(0x40, 0);
	out8(0x40, 0);
}

static void wait_tick(void)
{
	for (int i = 0; i < 18 / TICKS_PER_SECOND; i++)
		asm volatile("sti; hlt; cli" ::: "memory");
}

/* Each page holds the tick it was written at and that tick mixed with the number. 0 if one holds anything else. */
static int rewrite(u32 number, u32 tick, u32 count)
{
	int intact = 1;
	for (u32 i = 0; i < count; i++) {
		u32 *page = working_set[(tick * count + i) % WORKING_SET_PAGES];
		if (page[1] != (number ^ page[0]))
			intact = 0;
		page[0] = tick;
		page[1] = number ^ tick;
	}
	return intact;
}

/* PIIX4's ACPI hot-plug ports, bus 0: "down" are the slots the host wants back. */
static int answer_unplug(u32 wait_ticks)
{
	static u32 asked_for;
	out32(0xae10, 0);
	u32 down = in32(0xae04);
	if (!down || asked_for++ < wait_ticks)
		return 0;
	asked_for = 0;
	put("guest: ejecting slots=");
	put_hex(down);
	put("\r\n");
	out32(0xae08, down);
	return 1;
}

void guest_main(u32 *multiboot)
{
	const char *line = multiboot[0] & 4 ? (const char *)multiboot[4] : "";
	u32 pages = number_option(line, "pages=", 16);
	u32 wait_ticks = number_option(line, "eject-after=", 0) * TICKS_PER_SECOND;
	if (option(line, "eject=never"))
		wait_ticks = 0xffffffff;

	out8(COM1 + 1, 0);
	out8(COM1 + 3, 3);
	u32 number = boot_number(), noise = number | 1;
	for (u32 p = 0; p < WORKING_SET_PAGES; p++) {
		for (u32 w = 2; w < PAGE_WORDS; w++) { /* noise, so that no page is sent as zero or compressed */
			noise ^= noise << 13, noise ^= noise >> 17, noise ^= noise << 5;
			working_set[p][w] = noise;
		}
		working_set[p][1] = number;
	}
	volatile u32 *device = find_vf();
	if (device)
		*device = number;
	start_timer();
	for (u32 tick = 1;; tick++) {
		int intact = rewrite(number, tick, pages);
		put("guest: number=");
		put_hex(number);
		put(" counter=");
		put_decimal(tick);
		put(intact ? " memory=ok" : " memory=DAMAGED");
		if (device) {
			put(" device=");
			put_hex(*device);
		}
		put("\r\n");
		wait_tick();
		if (answer_unplug(wait_ticks))
			device = 0;
	}
}
