/* SPDX-License-Identifier: GPL-2.0-only */
/* Multiboot entry: flat segments, a stack, the timer interrupt. */

#define MULTIBOOT_MAGIC	0x1badb002
#define CODE		0x08
#define DATA		0x10

	.section .multiboot, "a"
	.align 4
	.long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

	.section .text
	.globl _start
_start:
	cli
	mov $stack_top, %esp
	lgdt gdt_pointer
	ljmp $CODE, $1f
1:	mov $DATA, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	push %ebx			/* multiboot information */
	call guest_main
2:	hlt
	jmp 2b

	/* The timer: count, and tell the interrupt controller. */
	.globl timer_entry
timer_entry:
	push %eax
	incl timer_count
	mov $0x20, %al
	outb %al, $0x20
	pop %eax
	iret

	.section .rodata
	.align 8
gdt:
	.quad 0
	.quad 0x00cf9a000000ffff	/* CODE: 4 GiB from 0 */
	.quad 0x00cf92000000ffff	/* DATA: 4 GiB from 0 */
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.long gdt

	.section .bss
	.globl timer_count
	.align 4
timer_count:
	.space 4
	.align 16
	.space 16384
stack_top:

	.section .note.GNU-stack, "", @progbits
