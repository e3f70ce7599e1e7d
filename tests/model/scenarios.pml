/* Who does how much, and what must hold in the end. */

/* Everybody drains once more, alone. */
inline drain_all() {
  h = 1;
  do
  :: h > HEAPS -> break
  :: h <= HEAPS && !any_taken(h) && !any_pending(h) -> h++
  :: h <= HEAPS && !any_taken(h) && any_pending(h) ->
     assert(waiting[h] != 0);  /* who counts none finds none */
     if :: pending[list(h, 0)] != 0 -> take_list(list(h, 0)) :: else -> take_list(list(h, 1)) fi
  :: h <= HEAPS && any_taken(h) ->
     take_off(h);
     taken[list(h, c)] = link[d];
     m = summary[d];
     summary[d] = 0;
     if
     :: owner_now(d) == h -> collect(d, 0); collect(d, 1)
     :: owner_now(d) == 0 -> skip
     :: else ->
        assert(parked[h] != 1);  /* a late push strands nothing */
        summary[d] = m;
        waiting[owner_now(d)]++;
        push(d, owner_now(d), c);
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
#endif
     assert(m == 0)
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
  byte h, c, d, m, doing;
  atomic {
    running = THREADS;
    given(0, 1);
#if SCENARIO == CLOSE || SCENARIO == PARK || SCENARIO == CHAIN
    small[0] = 1;
    live[1] = 0;
#endif
#if SCENARIO == RECARVE
    run worker(1, 1, 1, 1, 0, 0);
    run worker(2, 2, 1, 1, 0, 0);
    run worker(3, 0, 0, 2, 0, 0)
#elif SCENARIO == ADOPT
    run worker(1, 1, 0, 1, 1, 0);
    run worker(2, 2, 1, 0, 0, 0);
    run worker(3, 0, 0, 2, 0, 0)
#elif SCENARIO == PARK
    run worker(1, 1, 0, 1, 1, 0);
    run worker(2, 2, 1, 0, 0, 0);
    run worker(3, 0, 1, 1, 0, 1)
#elif SCENARIO == CHAIN
    live[0] = 2; bitmap[0] = 1; parked[1] = 1;
    run worker(1, 0, 0, 1, 0, 0);
    run worker(2, 2, 1, 1, 1, 0);
    run worker(3, 3, 1, 0, 0, 0)
#elif SCENARIO == HELP
    given(1, 1);
    run worker(1, 1, 1, 0, 0, 0);
    run worker(2, 0, 0, 1, 0, 0);
    run worker(3, 0, 0, 2, 0, 0)
#elif SCENARIO == CLOSE
    run worker(1, 1, 1, 2, 0, 0);
    run worker(2, 2, 1, 0, 1, 0);
    run worker(3, 0, 0, 1, 0, 0)
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
#if SCENARIO != FORK
    h = 1;
    do :: h > HEAPS -> break :: else -> assert(door[h] == 0); h++ od;
#endif
    none_lost(0, 0); none_lost(0, 1); none_lost(1, 0); none_lost(1, 1)
  }
}
