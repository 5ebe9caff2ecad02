//! What needs libtorch itself: networks as PyTorch counts and names them, a rule against its formula, going on from a file.

use tch::{Device, Kind, Tensor};

use crate::{
    card::{Network, Task},
    checkpoint::{self, State},
    loss::Loss,
    networks::{Net, input},
    optimizer::Optimizer,
    settings::Rule,
    tensors::Tensors,
};

fn net(network: Network, task: Task, classes: i64) -> Net {
    tch::manual_seed(5);
    Net::build(network, task, Net::own_width(network), classes, Device::Cpu).unwrap()
}

#[test]
fn simple_is_the_source_designs_network() {
    let net = net(Network::Simple, Task::Classify, 2);
    assert_eq!(net.weights.count(), 23_426);
    let names: Vec<&str> = net.weights.iter().map(|weight| weight.name.as_str()).collect();
    let expected = [
        "body.0.weight",
        "body.0.bias",
        "body.3.weight",
        "body.3.bias",
        "body.6.weight",
        "body.6.bias",
        "fc.weight",
        "fc.bias",
    ];
    assert_eq!(names, expected);
}

#[test]
fn every_network_answers_in_its_shape_at_sizes_that_halving_does_not_divide() {
    let pictures: Vec<u8> = (0..2 * 50 * 50).map(|at| (at % 251) as u8).collect();
    let x = input(&pictures, 50, Device::Cpu, false).unwrap();
    let shape = |network, task| net(network, task, 3).forward(&x, true).unwrap().size();
    assert_eq!(shape(Network::Simple, Task::Classify), [2, 3]);
    assert_eq!(shape(Network::Resnet, Task::Classify), [2, 3]);
    assert_eq!(shape(Network::Resnet, Task::Defects), [2, 3, 50, 50]);
    assert_eq!(shape(Network::Unet, Task::Defects), [2, 3, 50, 50]);
}

#[test]
fn the_input_is_laid_out_channels_last_and_convolutions_keep_that() {
    let x = input(&[7; 2 * 16 * 16], 16, Device::Cpu, false).unwrap();
    assert_eq!(x.stride(), [256, 1, 16, 1]);
    let weight = Tensor::rand([4, 1, 3, 3], (Kind::Float, Device::Cpu));
    let y = x.conv2d(&weight, None::<Tensor>, [1, 1], [1, 1], [1, 1], 1);
    assert_eq!(y.stride(), [16 * 16 * 4, 1, 16 * 4, 4]);
}

#[test]
fn adam_moves_a_weight_as_its_paper_says() {
    let net = net(Network::Simple, Task::Classify, 2);
    let bias = net.weights.iter().find(|weight| weight.name == "fc.bias").unwrap().tensor.shallow_clone();
    let before = Vec::<f32>::try_from(&bias).unwrap();
    let mut optimizer = Optimizer::new(&net.weights, Rule::Adam, 0.0, 0.0).unwrap();
    // The gradient of 3 b is 3: whatever its size, the first step is the rate.
    for step in 1..=2 {
        optimizer.step(&(bias.sum(Kind::Float) * 3.0), 0.01).unwrap();
        let after = Vec::<f32>::try_from(&bias).unwrap();
        for (after, before) in after.iter().zip(&before) {
            assert!((before - after - 0.01 * step as f32).abs() < 1e-6, "{before} {after}");
        }
    }
}

#[test]
fn gradients_are_cut_to_the_norm_that_was_asked_for() {
    let net = net(Network::Simple, Task::Classify, 2);
    let bias = net.weights.iter().find(|weight| weight.name == "fc.bias").unwrap().tensor.shallow_clone();
    let before = Vec::<f32>::try_from(&bias).unwrap();
    let mut optimizer = Optimizer::new(&net.weights, Rule::Sgd, 0.0, 1.0).unwrap();
    optimizer.step(&(bias.sum(Kind::Float) * 100.0), 1.0).unwrap();
    let after = Vec::<f32>::try_from(&bias).unwrap();
    for (after, before) in after.iter().zip(&before) {
        assert!((before - after - 0.5_f32.sqrt()).abs() < 1e-4, "{before} {after}");
    }
}

#[test]
fn steps_after_a_checkpoint_are_the_steps_that_would_have_been() {
    let folder = tempfile::tempdir().unwrap();
    let pictures: Vec<u8> = (0..4 * 24 * 24).map(|at| (at * 7 % 256) as u8).collect();
    for (network, task) in [(Network::Resnet, Task::Classify), (Network::Unet, Task::Defects)] {
        let target = match task {
            Task::Defects => Tensor::from_slice(&pictures).remainder(3).view([4, 24, 24]).to_kind(Kind::Int64),
            _ => Tensor::from_slice(&[0_i64, 1, 2, 1]),
        };
        let loss = Loss::new(task, &[10, 5, 1], true, Device::Cpu).unwrap();
        let learn = |net: &Net, optimizer: &mut Optimizer, steps: usize| {
            for _ in 0..steps {
                let x = input(&pictures, 24, Device::Cpu, false).unwrap();
                optimizer.step(&loss.of(&net.forward(&x, true).unwrap(), &target).unwrap(), 0.01).unwrap();
            }
        };
        let whole = net(network, task, 3);
        let mut optimizer = Optimizer::new(&whole.weights, Rule::AdamW, 0.01, 1.0).unwrap();
        learn(&whole, &mut optimizer, 2);
        let state = State { epoch: 1, steps: optimizer.steps, fingerprint: "f".into(), ..State::default() };
        checkpoint::save(folder.path(), &whole.weights, &optimizer, &state).unwrap();
        learn(&whole, &mut optimizer, 3);

        let mut again = net(network, task, 3);
        let mut optimizer = Optimizer::new(&again.weights, Rule::AdamW, 0.01, 1.0).unwrap();
        let path = folder.path().join(checkpoint::LAST);
        assert_eq!(checkpoint::load(&path, &mut again.weights, &mut optimizer, "f").unwrap(), state);
        learn(&again, &mut optimizer, 3);
        assert_eq!(again.weights.numbers().unwrap(), whole.weights.numbers().unwrap());

        let refused = checkpoint::load(&path, &mut again.weights, &mut optimizer, "g").unwrap_err().to_string();
        assert!(refused.contains("the dataset or the command changed since"), "{refused}");
    }
}

#[test]
fn weights_of_another_network_are_refused_by_the_first_that_does_not_fit() {
    let file =
        Tensors { tensors: net(Network::Simple, Task::Classify, 2).weights.numbers().unwrap(), ..Tensors::default() };
    let said =
        |network, task, classes| net(network, task, classes).weights.take(&file, "x.safetensors").map_err(|it| it.0);
    assert_eq!(said(Network::Simple, Task::Classify, 2), Ok(()));
    let refused = said(Network::Simple, Task::Classify, 3).unwrap_err();
    assert!(refused.contains("`fc.weight` of shape [3, 64], the file has [2, 64]"), "{refused}");
    assert!(said(Network::Unet, Task::Defects, 2).unwrap_err().contains("x.safetensors is of another network"));
}
