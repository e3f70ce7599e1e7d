/* HAKMEM's protocol of remote free, as a model for spin: free, drain, release, re-carve, thread
 * exit, adoption, helping an owner that sleeps, and fork. The code is src/hakmem/slab/remote.cpp,
 * heap/remote_free.cpp, heap/adopt.cpp and heap/registry.cpp; check_model.py runs this.
 *
 * Size: 2 slabs (descriptors), each with bitmap words 0 (objects 0 and 1) and 1 (object 2; only
 * slabs of heap 1 are made with it), 2 or 3 heaps, 2 or 3 threads with a bounded number of mallocs
 * and frees each, in any order and interleaving. SCENARIO chooses threads and their work.
 *
 * What Promela has not, it being sequentially consistent, and how it is made up for:
 *
 * - The owner is the one word of the protocol that is read without being the holder of a lock nor
 *   by a read-modify-write. Its values are kept as a history, and a read returns any value not
 *   older than what the thread is known to have seen (`view`): what it read or wrote itself; the
 *   slab's birth, when it frees an object (the program handed it over properly); what the last
 *   holder of a door saw; and what those saw whose changes of the summary it takes over (the
 *   summary's acquire and release). Every other order that the hardware may keep is left out: reads
 *   in the model may be staler than real ones.
 * - summary, words and pending are changed by read-modify-writes only. These return the newest value
 *   whatever the memory order; what the orders add is that a freer's OR comes before its bit of the
 *   summary (release) and that a drainer's exchanges of words come after that of the summary
 *   (acquire): the order of the steps here.
 * - The link is written by who holds the slab in its hands, before the compare-and-swap that pushes
 *   it (release), and read after the exchange that takes the list (acquire): the newest value. It is
 *   read before the exchange of the summary (release); the next to write it has seen 0 there
 *   (acquire).
 * - What doors protect (local bitmaps, lists, `taken`) is plain memory.
 * - Hints are guesses here: a drain may stop at any moment (a bound; `pending` read too early), a
 *   freer may help any heap it pushed to (the owner looks idle), a free may take either the path of
 *   own objects or that of foreign ones (the region id read is old), a parked heap may be somebody's
 *   again when it is adopted from.
 *
 * A mutation, -DMUTATE_..., breaks the protocol on purpose; -DREACH=... asserts that a point is never
 * reached. Both must be found wrong, or the model proves nothing.
 */

#define RECARVE 1
#define ADOPT   2
#define HELP    3
#define FORK    4

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
#define SPREAD      13  /* ... and objects freed later, because they are of the same slab */
#define STRANDED    14  /* in the end a slab is on the list of a parked heap that lost it */
#ifndef REACH
#define REACH 0
#endif
#define here(point) assert(point != REACH)

#define HEAPS 2
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
byte pending[HEAPS + 1];
byte taken[HEAPS + 1];
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
#if SCENARIO == FORK
byte flying[(THREADS + 1) * SLABS * 2];  /* objects on a thread's way from its free to its push */
bit holds[(THREADS + 1) * SLABS];        /* the thread turned the summary from 0 and has to push */
byte excused[SLABS * 2];                 /* objects that the fork lost */
bit stuck[SLABS];                        /* a thread that the fork ended held the slab */
#endif

#define objects(n, i) (i == 0 -> 3 : (small[n] -> 0 : 1))
#define is_empty(n) (bitmap[n * 2] == objects(n, 0) && bitmap[n * 2 + 1] == objects(n, 1))
#define owner_now(n) owners[n * CHANGES + newest[n]]
#define gives(n, x) (owner_now(n) == x && (bitmap[n * 2] | bitmap[n * 2 + 1]) != 0)
#define some_live (live[0] || live[1] || live[2] || live[3])
#define seen(n) view[me * SLABS + n]

/* Everything inline below is part of an atomic step of its caller. */

inline see(n, what) { if :: what > seen(n) -> seen(n) = what :: else fi }

/* An acquiring read: any value that is not older than what was seen. */
inline read_owner(n, result) {
  do
  :: seen(n) < newest[n] -> seen(n)++
  :: break
  od;
  if :: seen(n) < newest[n] -> here(STALE) :: else fi;
  result = owners[n * CHANGES + seen(n)]
}

/* Under the doors of the old and the new owner. */
inline write_owner(n, who) {
  assert(newest[n] + 1 < CHANGES);
  newest[n]++;
  owners[n * CHANGES + newest[n]] = who;
  seen(n) = newest[n]
}

/* A read-modify-write of the summary: acquire and release. */
inline change_summary(n, before, after) {
  before = summary[n];
  summary[n] = after;
#ifndef MUTATE_RELAXED_SUMMARY
  see(n, summary_view[n]);
  summary_view[n] = seen(n)
#endif
}

inline enter_door(x) {
  door[x] = me;
  see(0, door_view[x * SLABS]);
  see(1, door_view[x * SLABS + 1])
}

inline leave_door(x) {
  assert(door[x] == me);
  door_view[x * SLABS] = seen(0);
  door_view[x * SLABS + 1] = seen(1);
  door[x] = 0
}

/* Local state of a slab: whoever works on it is alone. */
inline begin(n) { assert(busy[n] == 0); busy[n] = me }
inline end(n) { assert(busy[n] == me); busy[n] = 0 }

/* One step: the compare-and-swap succeeds only if the head is the one that was written to the link,
 * and nobody reads the link before. */
inline push(n, x) {
  assert(x != 0);
  assert(!listed[n]);  /* no slab is on two lists, nor twice on one */
  listed[n] = 1;
  link[n] = pending[x];
  pending[x] = n + 1
}

inline collect(n, i) {
  if
  :: m & (1 << i) ->
     assert((bitmap[n * 2 + i] & words[n * 2 + i]) == 0);  /* freed twice */
     assert((live[n * 2 + i] & words[n * 2 + i]) == 0);    /* it is with the program */
     bitmap[n * 2 + i] = bitmap[n * 2 + i] | words[n * 2 + i];
     words[n * 2 + i] = 0
  :: else
  fi
}

inline release_if_empty(n) {
  if
  :: is_empty(n) ->
     bitmap[n * 2] = 0;
     bitmap[n * 2 + 1] = 0;
     assert(live[n * 2] == 0 && live[n * 2 + 1] == 0);
     write_owner(n, 0)
  :: 1  /* some empty slabs are kept */
  fi
}

/* Gives all free objects of the slab to the program. */
inline take_from(n) {
  begin(n);
  assert((live[n * 2] & bitmap[n * 2]) == 0);  /* handed out twice */
  assert((live[n * 2 + 1] & bitmap[n * 2 + 1]) == 0);
  assert((words[n * 2] & bitmap[n * 2]) == 0);  /* or free twice */
  assert((words[n * 2 + 1] & bitmap[n * 2 + 1]) == 0);
  live[n * 2] = live[n * 2] | bitmap[n * 2];
  live[n * 2 + 1] = live[n * 2 + 1] | bitmap[n * 2 + 1];
  bitmap[n * 2] = 0;
  bitmap[n * 2 + 1] = 0;
  end(n)
}

inline carve(n) {
  assert(words[n * 2] == 0 && words[n * 2 + 1] == 0);
  if :: summary[n] != 0 -> here(RECARVED) :: else fi;
#ifdef MUTATE_CARVE_RESETS_SUMMARY
  summary[n] = 0;
#endif
  small[n] = (home != 1);
  bitmap[n * 2] = objects(n, 0);
  bitmap[n * 2 + 1] = objects(n, 1);
  write_owner(n, home);
  birth[n] = newest[n]
}

inline adopt(n) {
  here(ADOPTED);
  begin(n);
  write_owner(n, home);
  end(n)
}

inline pick(slab, word, bits) {
  (live[slab * 2 + word] & bits) == bits ->
  live[slab * 2 + word] = live[slab * 2 + word] & (7 - bits);
  s = slab; w = word; mask = bits;
#if SCENARIO == FORK
  flying[(me * SLABS + slab) * 2 + word] = bits;
#endif
  see(slab, birth[slab])
}

/* Takes some objects of one word from the program. */
inline pick_live() {
  frees--;
  if
  :: pick(0, 0, 1) :: pick(0, 0, 2) :: pick(0, 0, 3) :: pick(0, 1, 1)
  :: pick(1, 0, 1) :: pick(1, 0, 2) :: pick(1, 0, 3) :: pick(1, 1, 1)
  fi
}

inline landed() {
#if SCENARIO == FORK
  flying[(me * SLABS + s) * 2 + w] = 0;
  holds[me * SLABS + s] = 0
#else
  skip
#endif
}

inline freed() {
  s = 0; w = 0; mask = 0; o = 0; old = 0;
  if :: inside -> inside = 0; leave_door(home) :: else fi
}

inline or_words() {
  assert((words[s * 2 + w] & mask) == 0);  /* else the code reports a double free */
  words[s * 2 + w] = words[s * 2 + w] | mask
}

inline or_summary() {
  change_summary(s, old, summary[s] | (1 << w));
#if SCENARIO == FORK
  if
  :: old == 0 -> holds[me * SLABS + s] = 1
  :: else -> flying[(me * SLABS + s) * 2 + w] = 0
  fi
#endif
}

#if SCENARIO == FORK
inline dies(t, n) {
  excused[n * 2] = excused[n * 2] | flying[(t * SLABS + n) * 2];
  excused[n * 2 + 1] = excused[n * 2 + 1] | flying[(t * SLABS + n) * 2 + 1];
  stuck[n] = stuck[n] | holds[t * SLABS + n]
}

inline fork_child() {
  forked = me;
  dies(1, 0); dies(1, 1); dies(3, 0); dies(3, 1);
  parked[1] = 1
}

#define while_alive provided (forked == 0 || forked == _pid)
#else
#define while_alive
#endif

/* What a worker is draining for. */
#define MALLOC 1
#define TAKE   2  /* over a slab */
#define VISIT  3
#define LEAVE  4

proctype worker(byte me; byte home; byte mallocs; byte frees; bit leaves; bit forks) while_alive {
  byte s, w, mask;    /* what is being freed: slab, word, objects */
  byte o, old;        /* owner and summary as read */
  byte h, doing;      /* whose list is being drained, and why */
  byte d, m;          /* the slab being drained, and its summary */
  bit inside;         /* frees while it holds its own door */

next:
  if
  /* malloc, slow door */
  :: atomic {
       home != 0 && mallocs > 0 && door[home] == 0 ->
       mallocs--; enter_door(home); h = home; doing = MALLOC; goto drain
     }
  /* free, the region id said "another's" */
  :: atomic {
       frees > 0 && some_live ->
       pick_live();
#ifndef MUTATE_OWNER_READ_AFTER_OR
       read_owner(s, o);
#endif
       goto free
     }
  /* free, the region id said "mine" */
  :: atomic {
       home != 0 && frees > 0 && some_live && door[home] == 0 ->
       pick_live();
       enter_door(home);
#ifdef MUTATE_FLUSH_TRUSTS_REGION_ID
       o = home;
#else
       read_owner(s, o);
#endif
       inside = 1;
       if
       :: o == home ->
          begin(s);
          assert((bitmap[s * 2 + w] & mask) == 0);
          bitmap[s * 2 + w] = bitmap[s * 2 + w] | mask;
          release_if_empty(s);
          end(s);
          landed();
          freed();
          goto next
       :: else -> here(FOREIGN_MINE); goto free
       fi
     }
#if SCENARIO == ADOPT
  /* thread exit, and a new thread */
  :: atomic {
       leaves && home != 0 && door[home] == 0 ->
       leaves = 0; enter_door(home); h = home; doing = LEAVE; goto drain
     }
  :: atomic { mallocs > 0 && home == 0 && parked[1] == 1 ->
              parked[1] = 2; home = 1; here(TAKEN_WHOLE); goto next }
#endif
#if SCENARIO == FORK
  :: atomic { forks && door[1] == 0 -> forks = 0; enter_door(1) }
     atomic { door[2] == 0 -> enter_door(2) }
     if
     :: atomic { fork_child() }
     :: 1  /* the parent */
     fi;
     atomic { leave_door(1); leave_door(2); goto next }
#endif
  :: atomic {
       (mallocs == 0 || home == 0) && (frees == 0 || !some_live) && !leaves ->
       goto done
     }
  fi;

free:
#ifdef MUTATE_SUMMARY_BEFORE_OR
  atomic { or_summary() }
  atomic { or_words() }
#else
  atomic { or_words() }
#ifdef MUTATE_OWNER_READ_AFTER_OR
  atomic { read_owner(s, o) }
#endif
  atomic { or_summary() }
#endif
#ifdef MUTATE_PUSH_ALWAYS
  old = 0;
#endif
  atomic {
    if
    :: old != 0 -> freed(); goto next
    :: else -> push(s, o); landed()
    fi
  }
  atomic {
#if SCENARIO == ADOPT
    /* Once more the owner: has the heap lost the slab meanwhile? */
    h = o;
    read_owner(s, o);
    if
    :: o != h && door[h] == 0 -> here(LATE_PUSH); enter_door(h); doing = VISIT; goto drain
    :: else -> h = 0; freed(); goto next
    fi
#elif SCENARIO == HELP
    /* The owner looks idle, or not. */
    if
    :: door[o] == 0 -> h = o; enter_door(h); doing = VISIT; goto drain
    :: freed(); goto next
    fi
#else
    freed(); goto next
#endif
  }

drain:
  do
  :: goto drained  /* enough for this visit, or `pending` was read too early */
  :: atomic {
       taken[h] == 0 && pending[h] != 0 ->
       taken[h] = pending[h];
       pending[h] = 0;
       if :: link[taken[h] - 1] != 0 -> here(TWO_LISTED) :: else fi
     }
  :: atomic {
       taken[h] != 0 ->
       d = taken[h] - 1;
       listed[d] = 0;
#ifndef MUTATE_LINK_READ_LATE
       taken[h] = link[d]
#endif
     }
#ifdef MUTATE_DRAIN_READS_OWNER_FIRST
     atomic { read_owner(d, o) }
#endif
     atomic { change_summary(d, m, 0) }
     atomic {
#ifdef MUTATE_LINK_READ_LATE
       taken[h] = link[d];
#endif
#ifndef MUTATE_DRAIN_READS_OWNER_FIRST
       read_owner(d, o);
#endif
#ifdef MUTATE_COLLECT_NOT_OWNED
       if :: o != 0 -> o = h :: else fi;
#endif
       if
       :: o == h -> begin(d)
       :: o == 0 -> here(DROPPED); d = 0; m = 0; goto drain
       :: else ->
#ifdef MUTATE_NO_FORWARD
          d = 0; m = 0; o = 0; goto drain
#else
          goto forward
#endif
       fi
     }
     atomic { collect(d, 0) }
     atomic {
       collect(d, 1);
       if :: doing == VISIT -> here(HELPED) :: else fi;
       release_if_empty(d);
       end(d);
       d = 0; m = 0; o = 0
     }
  od;

forward:
  atomic { change_summary(d, old, summary[d] | m) }
  atomic {
#ifdef MUTATE_FORWARD_WITHOUT_PUSH
    old = 1;
#endif
    if
    :: old == 0 -> here(FORWARDED); push(d, o)
    :: else -> here(MERGED)
    fi;
    d = 0; m = 0; o = 0; old = 0;
    goto drain
  }

drained:
  atomic {
    if
    :: doing == VISIT ->
       leave_door(h);
       h = 0;
       freed()
    :: doing == LEAVE ->
       if :: owner_now(0) == home -> release_if_empty(0) :: else fi;
       if :: owner_now(1) == home -> release_if_empty(1) :: else fi;
       leave_door(home);
       parked[home] = 1;
       home = 0
    :: doing == TAKE ->
       if
       :: gives(0, h) -> adopt(0); take_from(0)
       :: gives(1, h) -> adopt(1); take_from(1)
       :: 1
       fi;
#ifndef MUTATE_ADOPT_WITHOUT_DOOR
       leave_door(h);
#endif
       leave_door(home)
    :: doing == MALLOC ->
       if
       :: gives(0, home) -> take_from(0); leave_door(home)
       :: gives(1, home) -> take_from(1); leave_door(home)
       :: owner_now(0) == 0 -> carve(0); take_from(0); leave_door(home)
       :: owner_now(1) == 0 -> carve(1); take_from(1); leave_door(home)
       :: leave_door(home)  /* needs no more, or found no memory */
#ifdef MUTATE_ADOPT_WITHOUT_DOOR
       :: parked[3 - home] -> h = 3 - home; doing = TAKE; goto drained
#else
       :: parked[3 - home] && door[3 - home] == 0 ->
          h = 3 - home; enter_door(h); doing = TAKE; goto drain
#endif
       fi
    fi;
    h = 0;
    doing = 0;
    goto next
  }

done:
  atomic {
    home = 0; frees = 0; forks = 0;
    seen(0) = 0; seen(1) = 0;
    running = (forked -> 0 : running - 1)
  }
}

/* ---- the end ---- */

/* Everybody drains once more, alone. */
inline drain_all() {
  h = 1;
  do
  :: h > HEAPS -> break
  :: h <= HEAPS && taken[h] == 0 && pending[h] == 0 -> h++
  :: h <= HEAPS && taken[h] == 0 && pending[h] != 0 -> taken[h] = pending[h]; pending[h] = 0
  :: h <= HEAPS && taken[h] != 0 ->
     d = taken[h] - 1;
     taken[h] = link[d];
     listed[d] = 0;
     m = summary[d];
     summary[d] = 0;
     if
     :: owner_now(d) == h -> collect(d, 0); collect(d, 1)
     :: owner_now(d) == 0 -> skip
     :: else ->
        if :: parked[h] == 1 -> here(STRANDED) :: else fi;
        summary[d] = m;
        push(d, owner_now(d));
        h = 1
     fi
  od
}

/* Each object is with the program, or in the slab, or the slab is gone. */
inline none_lost(n, i) {
  if
  :: owner_now(n) == 0 -> assert(live[n * 2 + i] == 0 && words[n * 2 + i] == 0)
  :: else ->
     assert((live[n * 2 + i] & bitmap[n * 2 + i]) == 0);
     m = objects(n, i) & (7 - (live[n * 2 + i] | bitmap[n * 2 + i]));
     assert((words[n * 2 + i] & (7 - m)) == 0);
#if SCENARIO == FORK
     if :: m != 0 -> here(LOST) :: else fi;
     m = m & (7 - excused[n * 2 + i]);
     if :: m != 0 -> here(SPREAD) :: else fi;
     assert(m == 0 || stuck[n])
#else
     assert(m == 0)
#endif
  fi
}

/* A slab of a heap, all of it with the program. */
inline given(n, x) {
  owners[n * CHANGES] = x;
  small[n] = (x != 1);
  live[n * 2] = objects(n, 0);
  live[n * 2 + 1] = objects(n, 1)
}

init {
  byte h, d, m;
  atomic {
    running = THREADS;
    given(0, 1);
#if SCENARIO == RECARVE
    run worker(1, 1, 1, 1, 0, 0);
    run worker(2, 2, 1, 1, 0, 0);
    run worker(3, 0, 0, 2, 0, 0)
#elif SCENARIO == ADOPT
    run worker(1, 1, 0, 1, 1, 0);
    run worker(2, 2, 1, 0, 0, 0);
    run worker(3, 0, 1, 2, 0, 0)
#elif SCENARIO == HELP
    given(1, 1);
    run worker(1, 1, 1, 0, 0, 0);
    run worker(2, 0, 0, 1, 0, 0);
    run worker(3, 0, 0, 2, 0, 0)
#elif SCENARIO == FORK
    run worker(1, 1, 0, 1, 0, 0);
    run worker(2, 2, 1, 1, 0, 1);
    run worker(3, 0, 0, 1, 0, 0)
#endif
  }
  atomic {
    running == 0;
    drain_all();
    assert(!listed[0] && !listed[1]);
    none_lost(0, 0); none_lost(0, 1); none_lost(1, 0); none_lost(1, 1)
  }
}
