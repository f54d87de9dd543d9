// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO variant driver for the 82576 virtual function that QEMU emulates.
 *
 * It gives the emulated function what a migratable one has: the migration v2
 * state machine (STOP_COPY, optionally PRE_COPY and P2P) and device dirty
 * logging. Module parameters choose what it offers and which faults it plays,
 * so that a live migration of device state can be watched, and broken, without
 * SR-IOV hardware. It is of no use on real hardware.
 */

#include <linux/anon_inodes.h>
#include <linux/crc32.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/interval_tree.h>
#include <linux/iova_bitmap.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/version.h>
#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>

/* ---- what the device offers: read when a function is bound ----------- */

static bool precopy = true;
module_param(precopy, bool, 0644);
MODULE_PARM_DESC(precopy, "offer PRE_COPY on functions bound from now on");

static bool p2p = true;
module_param(p2p, bool, 0644);
MODULE_PARM_DESC(p2p, "offer the P2P states on functions bound from now on");

static bool dirty_log = true;
module_param(dirty_log, bool, 0644);
MODULE_PARM_DESC(dirty_log, "offer DMA logging on functions bound from now on");

/* ---- how the device behaves: read when it happens -------------------- */

static unsigned int ballast_kib = 256;
module_param(ballast_kib, uint, 0644);
MODULE_PARM_DESC(ballast_kib, "size of the opaque part of the saved state, KiB");

static bool reinit;
module_param(reinit, bool, 0644);
MODULE_PARM_DESC(reinit, "say half-way that there is new initial data, to a user who can hear it");

static unsigned int slow_ms;
module_param(slow_ms, uint, 0644);
MODULE_PARM_DESC(slow_ms, "time the stopped device takes to save itself, ms");

enum fault {
	FAULT_NONE,
	FAULT_REFUSE,	/* will not begin to save */
	FAULT_SAVE,	/* fails to save what only a stopped device can */
	FAULT_READ,	/* saves, but the state cannot be read out to the end */
	FAULT_WRITE,	/* does not accept the state it is given */
	FAULT_LOAD,	/* accepts all of it, fails when it is put in place */
	FAULT_LOSE,	/* reports success and has put nothing in place */
};

static const char * const fault_names[] = {
	[FAULT_NONE] = "none",
	[FAULT_REFUSE] = "refuse",
	[FAULT_SAVE] = "save",
	[FAULT_READ] = "read",
	[FAULT_WRITE] = "write",
	[FAULT_LOAD] = "load",
	[FAULT_LOSE] = "lose",
};

static enum fault fault = FAULT_NONE;

static int fault_set(const char *val, const struct kernel_param *kp)
{
	int i = sysfs_match_string(fault_names, val);

	if (i < 0)
		return i;
	fault = i;
	return 0;
}

static int fault_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", fault_names[fault]);
}

static const struct kernel_param_ops fault_ops = {
	.set = fault_set,
	.get = fault_get,
};

module_param_cb(fault, &fault_ops, NULL, 0644);
MODULE_PARM_DESC(fault, "none, refuse, save, read, write, load or lose");

static char fault_device[16];
module_param_string(fault_device, fault_device, sizeof(fault_device), 0644);
MODULE_PARM_DESC(fault_device, "address of the only function with the fault; empty: every one");

/* ---- the state stream ------------------------------------------------ */

#define STREAM_MAGIC	0x5653464d56425649ULL
#define STREAM_VERSION	1
#define STREAM_MAX	SZ_64M

/* Registers of BAR 0 that are carried over, in the order they are put back. */
static const u16 carried_regs[] = {
	/* mailbox memory: sixteen plain words, where a guest may leave a note */
	0x0800, 0x0804, 0x0808, 0x080c, 0x0810, 0x0814, 0x0818, 0x081c,
	0x0820, 0x0824, 0x0828, 0x082c, 0x0830, 0x0834, 0x0838, 0x083c,
	/* EITR 0..2, IVAR 0, IVAR_MISC, EIAC, EIAM, EIMS */
	0x1680, 0x1684, 0x1688, 0x1700, 0x1740, 0x152c, 0x1530, 0x1524,
	/* receive queue 0: base, length, split control, head, tail, control */
	0x2800, 0x2804, 0x2808, 0x280c, 0x2810, 0x2828, 0x2818,
	/* transmit queue 0: base, length, head, write-back, control, tail */
	0x3800, 0x3804, 0x3808, 0x3810, 0x3838, 0x383c, 0x3828, 0x3818,
};

#define CARRIED		ARRAY_SIZE(carried_regs)
#define MAILBOX_WORDS	16

/* First in the stream, followed by the ballast; readable from PRE_COPY on. */
struct stream_head {
	__le64 magic;
	__le32 version;
	__le16 vendor;
	__le16 device;
	__le32 ballast;		/* bytes */
	__le32 tail;		/* bytes */
};

/* Last in the stream: what the stopped device held. */
struct stream_tail {
	__le32 reg[CARRIED];
	__le16 command;		/* PCI_COMMAND_MASTER or nothing */
	__le16 reserved;
	__le32 crc;		/* of everything above */
};

struct stream {
	struct file *filp;
	struct mutex lock;	/* everything below */
	const struct igbvf *owner;
	u8 *buf;
	size_t size;		/* bytes allocated */
	size_t fill;		/* bytes readable (saving) or received (resuming) */
	size_t later;		/* bytes that are not readable yet (saving) */
	bool closed;		/* the device has moved on */
};

struct igbvf {
	struct vfio_pci_core_device core;

	struct mutex state_lock;	/* everything below, but for reset_pending */
	enum vfio_device_mig_state state;
	struct stream *saving;
	struct stream *resuming;
	struct stream_tail loaded;	/* put in place when the device runs again */
	bool have_loaded;
	bool was_master;	/* might write to memory when it was last stopped */
	bool logging;
	bool ran_logged;	/* has run since logging began */

	spinlock_t reset_lock;	/* reset_pending */
	bool reset_pending;
};

static struct igbvf *to_igbvf(struct vfio_device *vdev)
{
	return container_of(vdev, struct igbvf, core.vdev);
}

static bool has_fault(const struct igbvf *vf, enum fault which)
{
	if (fault != which)
		return false;
	return sysfs_streq(fault_device, "") ||
	       sysfs_streq(fault_device, pci_name(vf->core.pdev));
}

static u32 tail_crc(const struct stream_tail *tail)
{
	return crc32_le(~0, (const u8 *)tail, offsetof(struct stream_tail, crc));
}

static size_t stream_bytes(void)
{
	size_t ballast = (size_t)ballast_kib * SZ_1K;
	size_t rest = sizeof(struct stream_head) + sizeof(struct stream_tail);

	return rest + min_t(size_t, ballast, STREAM_MAX - rest);
}

static void stream_free(struct stream *s)
{
	mutex_destroy(&s->lock);
	kvfree(s->buf);
	kfree(s);
}

static int stream_release(struct inode *inode, struct file *filp)
{
	stream_free(filp->private_data);
	return 0;
}

static ssize_t stream_read(struct file *filp, char __user *ubuf, size_t len,
			   loff_t *pos)
{
	struct stream *s = filp->private_data;
	ssize_t ret;

	if (pos)	/* a stream has no positions */
		return -ESPIPE;
	pos = &filp->f_pos;

	mutex_lock(&s->lock);
	if (s->closed) {
		ret = -ENODEV;
	} else if (*pos == s->fill) {
		/* the end, or the end of what a running device can give */
		ret = s->fill == s->size ? 0 : -ENOMSG;
	} else if (s->fill == s->size && has_fault(s->owner, FAULT_READ)) {
		ret = -EIO;
	} else {
		len = min_t(size_t, len, s->fill - *pos);
		if (copy_to_user(ubuf, s->buf + *pos, len)) {
			ret = -EFAULT;
		} else {
			*pos += len;
			ret = len;
		}
	}
	mutex_unlock(&s->lock);
	return ret;
}

static ssize_t stream_write(struct file *filp, const char __user *ubuf,
			    size_t len, loff_t *pos)
{
	struct stream *s = filp->private_data;
	ssize_t ret;

	if (pos)
		return -ESPIPE;

	mutex_lock(&s->lock);
	if (s->closed) {
		ret = -ENODEV;
	} else if (has_fault(s->owner, FAULT_WRITE)) {
		ret = -EIO;
	} else if (len > s->size - s->fill) {
		ret = -ENOSPC;
	} else if (copy_from_user(s->buf + s->fill, ubuf, len)) {
		ret = -EFAULT;
	} else {
		s->fill += len;
		ret = len;
	}
	mutex_unlock(&s->lock);
	return ret;
}

/* A user who asked for version 2 and has read all that there was is given the rest. */
static u32 stream_reinit(struct stream *s, loff_t pos)
{
#ifdef VFIO_PRECOPY_INFO_REINIT
	if (s->later && pos == s->fill && s->owner->core.vdev.precopy_info_v2) {
		s->fill += s->later;
		s->later = 0;
		return VFIO_PRECOPY_INFO_REINIT;
	}
#endif
	return 0;
}

static long stream_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	const size_t minsz = offsetofend(struct vfio_precopy_info, dirty_bytes);
	struct stream *s = filp->private_data;
	struct vfio_precopy_info info;
	u32 flags = 0;
	long ret = 0;

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(&info, (void __user *)arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	mutex_lock(&s->lock);
	if (s->closed)
		ret = -ENODEV;
	else if (s->fill == s->size)	/* no longer pre-copying */
		ret = -EINVAL;
	else
		flags = stream_reinit(s, filp->f_pos);
	info.initial_bytes = s->fill - filp->f_pos;
	mutex_unlock(&s->lock);
	if (ret)
		return ret;

	info.flags = flags;	/* an output, for a user who asked for version 2 */
	info.dirty_bytes = 0;
	return copy_to_user((void __user *)arg, &info, minsz) ? -EFAULT : 0;
}

static const struct file_operations saving_fops = {
	.owner = THIS_MODULE,
	.read = stream_read,
	.unlocked_ioctl = stream_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = stream_release,
};

static const struct file_operations resuming_fops = {
	.owner = THIS_MODULE,
	.write = stream_write,
	.release = stream_release,
};

static struct stream *stream_new(const struct igbvf *vf, size_t size, bool saving)
{
	struct stream *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	struct file *filp;

	if (!s)
		return ERR_PTR(-ENOMEM);
	mutex_init(&s->lock);
	s->owner = vf;
	s->size = size;
	s->buf = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!s->buf) {
		stream_free(s);
		return ERR_PTR(-ENOMEM);
	}

	if (saving)
		filp = anon_inode_getfile("igbvf_mig_saving", &saving_fops, s, O_RDONLY);
	else
		filp = anon_inode_getfile("igbvf_mig_resuming", &resuming_fops, s, O_WRONLY);
	if (IS_ERR(filp)) {
		stream_free(s);
		return ERR_CAST(filp);
	}
	stream_open(file_inode(filp), filp);
	s->filp = get_file(filp);	/* one reference for user space, one for us */
	return s;
}

static void stream_close(struct stream **slot)
{
	struct stream *s = *slot;

	if (!s)
		return;
	*slot = NULL;
	mutex_lock(&s->lock);
	s->closed = true;
	mutex_unlock(&s->lock);
	fput(s->filp);
}

/* ---- the device ------------------------------------------------------ */

static void device_stop(struct igbvf *vf)
{
	struct pci_dev *pdev = vf->core.pdev;
	u16 command;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	vf->was_master = command & PCI_COMMAND_MASTER;
	if (vf->was_master)
		pci_write_config_word(pdev, PCI_COMMAND, command & ~PCI_COMMAND_MASTER);
}

static void device_run(struct igbvf *vf)
{
	void __iomem *bar = vf->core.barmap[0];
	struct pci_dev *pdev = vf->core.pdev;
	u16 command;
	int i;

	if (vf->have_loaded) {
		for (i = 0; i < CARRIED; i++)
			iowrite32(le32_to_cpu(vf->loaded.reg[i]), bar + carried_regs[i]);
		if (le16_to_cpu(vf->loaded.command) & PCI_COMMAND_MASTER)
			vf->was_master = true;
		vf->have_loaded = false;
	}
	vf->ran_logged = true;
	if (vf->was_master) {
		pci_read_config_word(pdev, PCI_COMMAND, &command);
		pci_write_config_word(pdev, PCI_COMMAND, command | PCI_COMMAND_MASTER);
	}
}

static bool device_runs(const struct igbvf *vf)
{
	return vf->state == VFIO_DEVICE_STATE_RUNNING ||
	       vf->state == VFIO_DEVICE_STATE_PRE_COPY;
}

static struct file *save_begin(struct igbvf *vf)
{
	struct stream_head *head;
	struct stream *s;
	size_t ballast;

	if (has_fault(vf, FAULT_REFUSE))
		return ERR_PTR(-EBUSY);
	s = stream_new(vf, stream_bytes(), true);
	if (IS_ERR(s))
		return ERR_CAST(s);

	ballast = s->size - sizeof(*head) - sizeof(struct stream_tail);
	head = (struct stream_head *)s->buf;
	head->magic = cpu_to_le64(STREAM_MAGIC);
	head->version = cpu_to_le32(STREAM_VERSION);
	head->vendor = cpu_to_le16(vf->core.pdev->vendor);
	head->device = cpu_to_le16(vf->core.pdev->device);
	head->ballast = cpu_to_le32(ballast);
	head->tail = cpu_to_le32(sizeof(struct stream_tail));
	memset(head + 1, 0xa5, ballast);
	s->later = reinit ? ballast / 2 : 0;
	s->fill = sizeof(*head) + ballast - s->later;

	vf->saving = s;
	return s->filp;
}

static int save_finish(struct igbvf *vf)
{
	void __iomem *bar = vf->core.barmap[0];
	struct stream *s = vf->saving;
	struct stream_tail tail = {};
	int i;

	if (slow_ms)
		msleep(slow_ms);
	if (has_fault(vf, FAULT_SAVE))
		return -EIO;

	for (i = 0; i < CARRIED; i++)
		tail.reg[i] = cpu_to_le32(ioread32(bar + carried_regs[i]));
	tail.command = cpu_to_le16(vf->was_master ? PCI_COMMAND_MASTER : 0);
	tail.crc = cpu_to_le32(tail_crc(&tail));

	mutex_lock(&s->lock);
	memcpy(s->buf + s->size - sizeof(tail), &tail, sizeof(tail));
	s->fill = s->size;
	s->later = 0;
	mutex_unlock(&s->lock);
	return 0;
}

static int load_checked(struct igbvf *vf, const struct stream *s)
{
	const struct stream_head *head = (const struct stream_head *)s->buf;
	struct pci_dev *pdev = vf->core.pdev;
	const struct stream_tail *tail;
	size_t want;

	if (!s->fill)		/* resuming was left again without any data */
		return 0;
	if (s->fill < sizeof(*head) || le64_to_cpu(head->magic) != STREAM_MAGIC ||
	    le32_to_cpu(head->version) != STREAM_VERSION) {
		pci_err(pdev, "device state has no valid header\n");
		return -EINVAL;
	}
	if (le16_to_cpu(head->vendor) != pdev->vendor ||
	    le16_to_cpu(head->device) != pdev->device) {
		pci_err(pdev, "device state is of another kind of device\n");
		return -EINVAL;
	}
	want = sizeof(*head) + (size_t)le32_to_cpu(head->ballast) + sizeof(*tail);
	if (le32_to_cpu(head->tail) != sizeof(*tail) || s->fill != want) {
		pci_err(pdev, "device state has %zu bytes instead of %zu\n", s->fill, want);
		return -EINVAL;
	}
	tail = (const struct stream_tail *)(s->buf + want - sizeof(*tail));
	if (le32_to_cpu(tail->crc) != tail_crc(tail)) {
		pci_err(pdev, "device state is damaged\n");
		return -EINVAL;
	}
	if (has_fault(vf, FAULT_LOAD)) {
		pci_err(pdev, "device state could not be loaded\n");
		return -EIO;
	}
	if (has_fault(vf, FAULT_LOSE))
		return 0;

	vf->loaded = *tail;
	vf->have_loaded = true;
	pci_dbg(pdev, "%zu bytes of device state loaded\n", s->fill);
	return 0;
}

static int load(struct igbvf *vf)
{
	struct stream *s = vf->resuming;
	int ret;

	mutex_lock(&s->lock);
	ret = load_checked(vf, s);
	mutex_unlock(&s->lock);
	if (!ret)
		stream_close(&vf->resuming);
	return ret;
}

/* ---- the migration state machine ------------------------------------- */

#define ARC(from, to)	(VFIO_DEVICE_STATE_##from << 8 | VFIO_DEVICE_STATE_##to)

/* One arc of the state machine. A file is for user space, NULL is success. */
static struct file *step(struct igbvf *vf, enum vfio_device_mig_state next)
{
	struct file *filp;
	struct stream *s;
	int ret;

	switch (vf->state << 8 | next) {
	case ARC(RUNNING, RUNNING_P2P):
	case ARC(PRE_COPY, PRE_COPY_P2P):
	case ARC(RUNNING, STOP):		/* without P2P */
		device_stop(vf);
		return NULL;

	case ARC(RUNNING_P2P, RUNNING):
	case ARC(PRE_COPY_P2P, PRE_COPY):
	case ARC(STOP, RUNNING):		/* without P2P */
		device_run(vf);
		return NULL;

	case ARC(RUNNING_P2P, STOP):
	case ARC(STOP, RUNNING_P2P):
		return NULL;

	case ARC(RUNNING, PRE_COPY):
	case ARC(RUNNING_P2P, PRE_COPY_P2P):
		return save_begin(vf);

	case ARC(STOP, STOP_COPY):
		filp = save_begin(vf);
		if (IS_ERR(filp))
			return filp;
		ret = save_finish(vf);
		if (ret) {
			fput(filp);	/* user space does not get it */
			stream_close(&vf->saving);
			return ERR_PTR(ret);
		}
		return filp;

	case ARC(PRE_COPY, STOP_COPY):		/* without P2P */
		device_stop(vf);
		ret = save_finish(vf);
		if (ret)
			device_run(vf);
		return ERR_PTR(ret);

	case ARC(PRE_COPY_P2P, STOP_COPY):
		return ERR_PTR(save_finish(vf));

	case ARC(PRE_COPY, RUNNING):
	case ARC(PRE_COPY_P2P, RUNNING_P2P):
	case ARC(STOP_COPY, STOP):
		stream_close(&vf->saving);
		return NULL;

	case ARC(STOP, RESUMING):
		s = stream_new(vf, STREAM_MAX, false);
		if (IS_ERR(s))
			return ERR_CAST(s);
		vf->resuming = s;
		return s->filp;

	case ARC(RESUMING, STOP):
		return ERR_PTR(load(vf));
	}

	WARN_ON_ONCE(1);
	return ERR_PTR(-EINVAL);
}

/*
 * After a reset, and between two users. The emulated function keeps its mailbox
 * memory over a reset; a device that lost its state must not look as if it had it.
 */
static void forget(struct igbvf *vf)
{
	void __iomem *bar = vf->core.barmap[0];
	int i;

	for (i = 0; !IS_ERR_OR_NULL(bar) && i < MAILBOX_WORDS; i++)
		iowrite32(0, bar + carried_regs[i]);
	stream_close(&vf->saving);
	stream_close(&vf->resuming);
	vf->have_loaded = false;
	vf->was_master = false;
	vf->state = VFIO_DEVICE_STATE_RUNNING;
}

/*
 * A reset comes with memory_lock of vfio-pci held and must not wait for
 * state_lock. It only leaves a note; whoever holds state_lock acts on it here.
 */
static void state_unlock(struct igbvf *vf)
{
	for (;;) {
		spin_lock(&vf->reset_lock);
		if (!vf->reset_pending)
			break;
		vf->reset_pending = false;
		spin_unlock(&vf->reset_lock);
		forget(vf);
	}
	mutex_unlock(&vf->state_lock);
	spin_unlock(&vf->reset_lock);
}

static struct file *igbvf_set_state(struct vfio_device *vdev,
				    enum vfio_device_mig_state want)
{
	struct igbvf *vf = to_igbvf(vdev);
	enum vfio_device_mig_state next;
	struct file *filp = NULL;
	int ret;

	mutex_lock(&vf->state_lock);
	while (vf->state != want) {
		ret = vfio_mig_get_next_state(vdev, vf->state, want, &next);
		if (ret) {
			filp = ERR_PTR(ret);
			break;
		}
		filp = step(vf, next);
		if (IS_ERR(filp)) {
			pci_dbg(vf->core.pdev, "migration state %d -> %d failed: %pe\n",
				vf->state, next, filp);
			break;
		}
		vf->state = next;
		/* only the last arc of a path may hand out a file */
		if (WARN_ON(filp && vf->state != want)) {
			filp = ERR_PTR(-EINVAL);
			break;
		}
	}
	state_unlock(vf);
	return filp;
}

static int igbvf_get_state(struct vfio_device *vdev, enum vfio_device_mig_state *state)
{
	struct igbvf *vf = to_igbvf(vdev);

	mutex_lock(&vf->state_lock);
	*state = vf->state;
	state_unlock(vf);
	return 0;
}

static int igbvf_get_data_size(struct vfio_device *vdev, unsigned long *bytes)
{
	*bytes = stream_bytes();
	return 0;
}

static const struct vfio_migration_ops igbvf_mig_ops = {
	.migration_set_state = igbvf_set_state,
	.migration_get_state = igbvf_get_state,
	.migration_get_data_size = igbvf_get_data_size,
};

/* ---- DMA logging ------------------------------------------------------ */

/*
 * The emulated function keeps no record of the pages it wrote, and nobody has
 * to know them before it stands still: report nothing while it runs, everything
 * once it is stopped, if it could write at all. A function that never ran while
 * it was logged wrote nothing; saying otherwise would keep the migration of a
 * paused guest from ever ending.
 */
static int igbvf_log_start(struct vfio_device *vdev, struct rb_root_cached *ranges,
			   u32 nnodes, u64 *page_size)
{
	struct igbvf *vf = to_igbvf(vdev);
	int ret = 0;

	mutex_lock(&vf->state_lock);
	if (vf->logging) {
		ret = -EINVAL;
	} else {
		*page_size = clamp_t(u64, *page_size, SZ_4K, SZ_1G);
		vf->logging = true;
		vf->ran_logged = device_runs(vf);
	}
	state_unlock(vf);
	return ret;
}

static int igbvf_log_stop(struct vfio_device *vdev)
{
	struct igbvf *vf = to_igbvf(vdev);

	mutex_lock(&vf->state_lock);
	vf->logging = false;
	state_unlock(vf);
	return 0;
}

static int igbvf_log_read_and_clear(struct vfio_device *vdev, unsigned long iova,
				    unsigned long length, struct iova_bitmap *dirty)
{
	struct igbvf *vf = to_igbvf(vdev);
	bool logging, report;

	mutex_lock(&vf->state_lock);
	logging = vf->logging;
	report = vf->was_master && vf->ran_logged && !device_runs(vf);
	state_unlock(vf);

	if (!logging)
		return -EINVAL;
	if (report)
		iova_bitmap_set(dirty, iova, length);
	return 0;
}

static const struct vfio_log_ops igbvf_log_ops = {
	.log_start = igbvf_log_start,
	.log_stop = igbvf_log_stop,
	.log_read_and_clear = igbvf_log_read_and_clear,
};

/* ---- what newer kernels tell in debugfs ------------------------------- */

/*
 * vfio/ADDRESS/migration/features: from Linux 6.18 on the VFIO core has this file
 * for every migratable device. It is the only way to learn what a device offers
 * while a guest uses it, so older kernels get it from us.
 */
static int features_show(struct seq_file *seq, void *unused)
{
	static const struct {
		u64 flag;
		const char *name;
	} features[] = {
		{ VFIO_MIGRATION_STOP_COPY, "stop-copy" },
		{ VFIO_MIGRATION_P2P, "p2p" },
		{ VFIO_MIGRATION_PRE_COPY, "pre-copy" },
	};
	const struct vfio_device *vdev = seq->private;
	int i;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (vdev->migration_flags & features[i].flag)
			seq_printf(seq, "%s\n", features[i].name);
	if (vdev->log_ops)
		seq_puts(seq, "dirty-tracking\n");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(features);

/* The VFIO core removes the folder, and the file with it. */
static void features_init(struct vfio_device *vdev)
{
	struct dentry *folder = debugfs_lookup("migration", vdev->debug_root);
	struct dentry *file;

	if (!folder)
		return;
	file = debugfs_lookup("features", folder);
	if (!file)
		debugfs_create_file("features", 0444, folder, vdev, &features_fops);
	dput(file);
	dput(folder);
}

/* ---- vfio device and PCI driver --------------------------------------- */

static int igbvf_init_dev(struct vfio_device *vdev)
{
	struct igbvf *vf = to_igbvf(vdev);

	mutex_init(&vf->state_lock);
	spin_lock_init(&vf->reset_lock);
	vdev->migration_flags = VFIO_MIGRATION_STOP_COPY;
	if (p2p)
		vdev->migration_flags |= VFIO_MIGRATION_P2P;
	if (precopy)
		vdev->migration_flags |= VFIO_MIGRATION_PRE_COPY;
	vdev->mig_ops = &igbvf_mig_ops;
	if (dirty_log)
		vdev->log_ops = &igbvf_log_ops;
	return vfio_pci_core_init_dev(vdev);
}

static void igbvf_release_dev(struct vfio_device *vdev)
{
	mutex_destroy(&to_igbvf(vdev)->state_lock);
	vfio_pci_core_release_dev(vdev);
}

/* From Linux 7.3 on (or somewhat before) every BAR is mapped when the device is enabled. */
static int map_bar(struct igbvf *vf)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
	return PTR_ERR_OR_ZERO(vfio_pci_core_get_iomap(&vf->core, 0));
#else
	return vfio_pci_core_setup_barmap(&vf->core, 0);
#endif
}

static int igbvf_open_device(struct vfio_device *vdev)
{
	struct igbvf *vf = to_igbvf(vdev);
	int ret;

	ret = vfio_pci_core_enable(&vf->core);
	if (ret)
		return ret;
	ret = map_bar(vf);
	if (ret) {
		vfio_pci_core_disable(&vf->core);
		return ret;
	}

	mutex_lock(&vf->state_lock);
	vf->logging = false;
	forget(vf);
	state_unlock(vf);
	vfio_pci_core_finish_enable(&vf->core);
	return 0;
}

static void igbvf_close_device(struct vfio_device *vdev)
{
	struct igbvf *vf = to_igbvf(vdev);

	mutex_lock(&vf->state_lock);
	vf->logging = false;
	forget(vf);
	state_unlock(vf);
	vfio_pci_core_close_device(vdev);
}

static const struct vfio_device_ops igbvf_dev_ops = {
	.name = "igbvf-vfio-pci",
	.init = igbvf_init_dev,
	.release = igbvf_release_dev,
	.open_device = igbvf_open_device,
	.close_device = igbvf_close_device,
	.ioctl = vfio_pci_core_ioctl,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
	.match_token_uuid = vfio_pci_core_match_token_uuid,
#endif
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = vfio_pci_core_read,
	.write = vfio_pci_core_write,
	.mmap = vfio_pci_core_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
};

static int igbvf_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct igbvf *vf;
	int ret;

	if (!pdev->is_virtfn)
		return -ENODEV;
	vf = vfio_alloc_device(igbvf, core.vdev, &pdev->dev, &igbvf_dev_ops);
	if (IS_ERR(vf))
		return PTR_ERR(vf);
	dev_set_drvdata(&pdev->dev, &vf->core);
	ret = vfio_pci_core_register_device(&vf->core);
	if (ret) {
		vfio_put_device(&vf->core.vdev);
		return ret;
	}
	features_init(&vf->core.vdev);
	return 0;
}

static void igbvf_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	vfio_pci_core_unregister_device(core);
	vfio_put_device(&core->vdev);
}

static void igbvf_reset_done(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);
	struct igbvf *vf = container_of(core, struct igbvf, core);

	spin_lock(&vf->reset_lock);
	vf->reset_pending = true;
	if (!mutex_trylock(&vf->state_lock)) {
		spin_unlock(&vf->reset_lock);
		return;
	}
	spin_unlock(&vf->reset_lock);
	state_unlock(vf);
}

static const struct pci_error_handlers igbvf_err_handlers = {
	.reset_done = igbvf_reset_done,
	.error_detected = vfio_pci_core_aer_err_detected,
};

static const struct pci_device_id igbvf_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_INTEL, 0x10ca) },
	{ }
};
MODULE_DEVICE_TABLE(pci, igbvf_ids);

static struct pci_driver igbvf_driver = {
	.name = KBUILD_MODNAME,
	.id_table = igbvf_ids,
	.probe = igbvf_probe,
	.remove = igbvf_remove,
	.err_handler = &igbvf_err_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(igbvf_driver);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("IOMMUFD");
#else
MODULE_IMPORT_NS(IOMMUFD);
#endif
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The pvm authors");
MODULE_DESCRIPTION("VFIO variant driver for the 82576 VF emulated by QEMU");
