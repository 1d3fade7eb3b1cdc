use super::*;

fn queue() -> Queue<&'static str> {
    let backoff = Backoff {
        first: Duration::from_millis(100),
        longest: Duration::from_secs(10),
    };
    Queue::new(backoff, Jitter::seeded(7))
}

#[tokio::test(start_paused = true)]
async fn a_key_waits_once_and_is_worked_on_by_one() {
    let queue = queue();
    for key in ["a", "b", "a"] {
        queue.add(key);
    }
    let work = queue.next().await.unwrap();
    assert_eq!(*work.key(), "a");
    queue.add("a");
    assert_eq!(*queue.next().await.unwrap().key(), "b");
    assert!(queue.is_empty(), "`a` waits until its work has ended");
    work.done();
    assert_eq!(*queue.next().await.unwrap().key(), "a");
    assert!(queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_earliest_delay_counts_and_now_beats_later() {
    let queue = queue();
    let start = Instant::now();
    queue.add_after("slow", Duration::from_secs(60));
    queue.add_after("slow", Duration::from_secs(20));
    queue.add_after("slow", Duration::from_secs(40));
    queue.add_after("soon", Duration::from_secs(30));
    queue.add("soon");
    assert_eq!(*queue.next().await.unwrap().key(), "soon");
    assert_eq!(*queue.next().await.unwrap().key(), "slow");
    assert_eq!(start.elapsed(), Duration::from_secs(20));
    let nothing = tokio::time::timeout(Duration::from_secs(600), queue.next()).await;
    assert!(nothing.is_err(), "every key was worked on once");
}

#[tokio::test(start_paused = true)]
async fn failures_wait_longer_each_time_until_one_success() {
    let queue = queue();
    queue.add("a");
    let mut pauses = Vec::new();
    for _ in 0..3 {
        pauses.push(queue.next().await.unwrap().retry());
    }
    assert!(pauses[0] < pauses[1] && pauses[1] < pauses[2], "{pauses:?}");
    queue.next().await.unwrap().done();
    queue.add("a");
    assert!(queue.next().await.unwrap().retry() < pauses[1]);
}

#[tokio::test(start_paused = true)]
async fn closing_wakes_every_worker() {
    let queue = queue();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            tokio::spawn({
                let queue = queue.clone();
                async move { queue.next().await.is_none() }
            })
        })
        .collect();
    tokio::task::yield_now().await;
    queue.close();
    for worker in workers {
        assert!(worker.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn many_workers_share_the_keys_without_losing_one() {
    let queue = Queue::new(Backoff::OBJECTS, Jitter::seeded(1));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (queue, seen) = (queue.clone(), seen.clone());
            tokio::spawn(async move {
                while let Some(work) = queue.next().await {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    seen.lock().unwrap().push(*work.key());
                }
            })
        })
        .collect();
    for key in 0..100 {
        queue.add(key);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    queue.close();
    for worker in workers {
        worker.await.unwrap();
    }
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
}
