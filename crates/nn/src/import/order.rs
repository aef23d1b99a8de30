//! The order in which the nodes of a graph can be evaluated.

use crate::Problem;
use crate::graph::{Constant, Node};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A use of a value that nothing in the graph produces.
pub(super) struct Dangling {
    /// The node, or "the graph's output".
    pub(super) user: String,
    /// The value.
    pub(super) value: String,
}

/// The nodes in an order in which they can be evaluated (the file's own order, where that is one), and uses of values
/// from elsewhere.
///
/// # Errors
/// If a value is produced twice, or nodes wait for each other.
pub(super) fn ordered<'a>(
    nodes: Vec<Node>,
    inputs: impl Iterator<Item = &'a str>,
    initializers: &BTreeMap<String, Constant>,
    outputs: &[String],
) -> Result<(Vec<Node>, Vec<Dangling>), Problem> {
    let mut producer: HashMap<&str, usize> = HashMap::new();
    let mut given: HashSet<&str> = initializers.keys().map(String::as_str).collect();
    for input in inputs {
        if !given.insert(input) {
            let (value, producers) = (input.to_owned(), "two inputs".into());
            return Err(Problem::Duplicate { value, producers });
        }
    }
    for (index, node) in nodes.iter().enumerate() {
        for value in node.outputs.iter().filter(|value| !value.is_empty()) {
            let earlier = producer.insert(value, index);
            if earlier.is_some() || given.contains(value.as_str()) {
                let first = earlier.map_or("an input or initializer", |i| &nodes[i].name);
                let producers = format!("{first} and {}", node.name);
                return Err(Problem::Duplicate {
                    value: value.clone(),
                    producers,
                });
            }
        }
    }
    let mut dangling = Vec::new();
    for value in outputs {
        if !producer.contains_key(value.as_str()) && !given.contains(value.as_str()) {
            let (user, value) = ("the graph's output".into(), value.clone());
            dangling.push(Dangling { user, value });
        }
    }

    let mut waiting = vec![0_usize; nodes.len()];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        for value in node.uses() {
            if let Some(&from) = producer.get(value) {
                waiting[index] += 1;
                users[from].push(index);
            } else if !given.contains(value) {
                dangling.push(Dangling {
                    user: format!("node `{}` ({})", node.name, node.operator),
                    value: value.to_owned(),
                });
            }
        }
    }
    let mut order = Vec::with_capacity(nodes.len());
    // Smallest first: the file's own order stays, where it is one.
    let mut ready: BTreeSet<usize> = (0..nodes.len()).filter(|&i| waiting[i] == 0).collect();
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for &user in &users[index] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.insert(user);
            }
        }
    }
    if let Some(index) = waiting.iter().position(|&count| count > 0) {
        let (node, operator) = (nodes[index].name.clone(), nodes[index].operator.clone());
        return Err(Problem::Cyclic { node, operator });
    }
    let mut slots: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    let nodes = order.into_iter().filter_map(|index| slots[index].take());
    Ok((nodes.collect(), dangling))
}
