/* Multiboot entry, descriptor tables and the one interrupt the guest needs: the timer that wakes it. */
	.section .multiboot, "a"
	.align 4
	.long 0x1badb002, 0, -0x1badb002

	.section .text
	.global _start
_start:
	cli
	mov $stack_top, %esp
	lgdt gdt_pointer
	ljmp $0x08, $1f
1:	mov $0x10, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	push %ebx			/* multiboot information */
	call guest_main

	.global timer_entry
timer_entry:
	push %eax
	mov $0x20, %al			/* end of interrupt */
	out %al, $0x20
	pop %eax
	iret

	.section .data
	.align 8
gdt:	.quad 0
	.quad 0x00cf9a000000ffff	/* code, flat */
	.quad 0x00cf92000000ffff	/* data, flat */
gdt_pointer:
	.word . - gdt - 1
	.long gdt

	.section .bss
	.align 16
	.skip 16384
stack_top:

	.section .note.GNU-stack, "", @progbits
