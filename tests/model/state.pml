/* What there is: the memory of the protocol, and what only the proof knows. */

#define RECARVE 1
#define ADOPT   2
#define HELP    3
#define FORK    4
#define CLOSE   5  /* heap 2 is a shared heap, which is closed */
#define PARK    6  /* thread exit and adoption, while the hand of the round passes by */
#define CHAIN   7  /* a slab is adopted from a parked heap, whose new owner parks, and adopted again */

/* Points that must be reached. */
#define FORWARDED    1  /* a drainer found another owner and pushed the slab there */
#define MERGED       2  /* ... and found the slab on a list again: no push */
#define DROPPED      3  /* a drainer found no slab */
#define RECARVED     4  /* a descriptor became a slab again while its summary was not 0 */
#define STALE        5  /* an old owner was read */
#define TWO_LISTED   6  /* a list of two slabs was taken */
#define FOREIGN_MINE 7  /* the path of own objects met another heap's */
#define ADOPTED      8
#define LATE_PUSH    9  /* a freer pushed to a heap that had lost the slab, and noticed */
#define TAKEN_WHOLE 10  /* a new thread took over a parked heap */
#define HELPED      11  /* a freer collected objects for an owner */
#define LOST        12  /* a fork lost objects of a thread that it ended */
#define PASSED      13  /* who let go of the door of a heap found that it was not parked */
#define ADOPTED_ON  14  /* a slab was adopted a second time */
#define CLOSED      15  /* a shared heap was closed while frees waited elsewhere */
#define LATE_PASSED 16  /* a drainer passed a slab on to a heap that had lost it, and noticed */
byte nowhere;
#define here(point) assert(nowhere != point)  /* it holds; spin says which were not reached */

/* What a worker is draining for. */
#define MALLOC 1
#define TAKE   2  /* over a slab */
#define VISIT  3
#define LEAVE  4
#define PASS   5  /* visits a heap to which it passed a slab on too late, amid another drain */

#if SCENARIO == CHAIN
#define HEAPS 3
#else
#define HEAPS 2
#endif
#define THREADS 3
#define SLABS 2
#define CHANGES 6  /* of a slab's owner, at most */

/* ---- the descriptor: everybody's line ---- */
byte owners[SLABS * CHANGES];  /* history of the owner */
byte newest[SLABS];            /* its last entry */
byte summary[SLABS];
byte link[SLABS];              /* a slab's number + 1 */
byte words[SLABS * 2];

/* ---- under the owner's door ---- */
byte bitmap[SLABS * 2];        /* a bit: the object is free */
bit small[SLABS];              /* made without word 1 */

/* ---- heaps, numbered from 1 ---- */
byte door[HEAPS + 1];          /* the thread inside, or 0 */
byte waiting[HEAPS + 1];       /* slabs that were counted and not taken off yet */
byte pending[(HEAPS + 1) * 2];
byte taken[(HEAPS + 1) * 2];
byte parked[HEAPS + 1];        /* 0: never, 1: now, 2: it was, and has a thread again */

/* ---- what the threads have seen of the owners ---- */
byte birth[SLABS];
byte view[(THREADS + 1) * SLABS];
byte summary_view[SLABS];
byte door_view[(HEAPS + 1) * SLABS];

/* ---- what only the proof knows ---- */
byte live[SLABS * 2];          /* a bit: the program has the object */
bit listed[SLABS];             /* the slab is on a list */
byte busy[SLABS];              /* the thread that works on the slab's local state, or 0 */
byte running;
byte forked;                   /* the thread that is alone in the child, or 0 */
byte calls[SLABS];             /* calls that free objects of the slab as it is now */
#if SCENARIO == FORK
byte flying[(THREADS + 1) * SLABS * 2];  /* objects on a thread's way from its free to its push */
byte excused[SLABS * 2];                 /* objects that the fork lost */
#endif

#define list(x, c) ((x) * 2 + (c))  /* a heap's, for the slabs of a class: `small` */
#define any_pending(x) (pending[list(x, 0)] != 0 || pending[list(x, 1)] != 0)
#define any_taken(x) (taken[list(x, 0)] != 0 || taken[list(x, 1)] != 0)
#define objects(n, i) (i == 0 -> 3 : (small[n] -> 0 : 1))
#define is_empty(n) (bitmap[n * 2] == objects(n, 0) && bitmap[n * 2 + 1] == objects(n, 1))
#define owner_now(n) owners[n * CHANGES + newest[n]]
#define gives(n, x) (owner_now(n) == x && (bitmap[n * 2] | bitmap[n * 2 + 1]) != 0)
#define some_live (live[0] || live[1] || live[2] || live[3])
#define seen(n) view[me * SLABS + n]
