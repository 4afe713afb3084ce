//! Temporary.
use tidegate::config::*;
use tidegate::engine::*;
fn main() {
    simplelog::SimpleLogger::init(log::LevelFilter::Debug, simplelog::Config::default()).unwrap();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut config = Config::default();
    config.listeners = vec![args[0].parse().unwrap()];
    let (_, b) = text::backends(&args[1..], None).unwrap_or_else(|e| panic!("{e}"));
    config.backends = b;
    let mut kernel = tidegate::os::MioKernel::new().unwrap();
    kernel.watch_signals().unwrap();
    let mut engine = Engine::new(&config, None, 1, &mut kernel).unwrap_or_else(|e| panic!("{e}"));
    println!("{:?}", engine.addresses());
    loop {
        match engine.turn(&mut kernel) {
            Turn::Goes => {}
            t => {
                println!("{t:?} {:?}", engine.tally());
                return;
            }
        }
    }
}
