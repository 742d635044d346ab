"""Losses in plain loops, from their formulas; imports nothing of mmtbps."""

import math

import torch


def cosine(one, other):
    return (one * other).sum() / (one.norm() * other.norm())


def matrix(rows, columns, score=cosine):
    return torch.stack([torch.stack([score(row, column) for column in columns]) for row in rows])


def softmax(row):
    powers = [(value - row.max()).exp() for value in row]
    return [power / sum(powers) for power in powers]


def sdm(image, text, people, temperature=0.02, adaptive=0.0, epsilon=1e-8):
    total = 0
    for rows, columns in ((image, text), (text, image)):
        scores = matrix(rows, columns)
        for i, row in enumerate(scores):
            same = [j for j, person in enumerate(people) if person == people[i]]
            kl = sum(p * (p.log() - math.log((j in same) / len(same) + epsilon))
                     for j, p in enumerate(softmax(row / temperature)))
            best = max(range(len(row)), key=lambda j, row=row: row[j].item())
            if best not in same:
                kl = kl * (1 + adaptive * (row[best] - row[same[0]]))
            total = total + kl / len(scores)
    return total


def cmpm(image, text, people, epsilon=1e-8):
    total = 0
    for rows, columns in ((image, text), (text, image)):
        for i, row in enumerate(rows):
            logits = torch.stack([(row * column).sum() / column.norm() for column in columns])
            same = [j for j, person in enumerate(people) if person == people[i]]
            for j, p in enumerate(softmax(logits)):
                target = (j in same) / math.sqrt(len(same)) + epsilon
                total = total + p * (p.log() - math.log(target)) / len(rows)
    return total


def identity(image_logits, text_logits, people):
    total = 0
    for logits in (image_logits, text_logits):
        for row, person in zip(logits, people, strict=True):
            total = total - softmax(row)[person].log() / len(people) / 2
    return total


def tal(image, text, people, temperature=0.015, margin=0.1):
    """One loss a pair."""
    losses = [0] * len(people)
    for rows, columns in ((image, text), (text, image)):
        for i, row in enumerate(matrix(rows, columns)):
            same = [j for j, person in enumerate(people) if person == people[i]]
            others = [j for j in range(len(people)) if j not in same]
            if not others:
                continue
            alpha = softmax(row.detach()[same] / temperature)
            positive = sum(a * row[j] for a, j in zip(alpha, same, strict=True))
            negative = temperature * sum((row[j] / temperature).exp() for j in others).log()
            losses[i] = losses[i] + max(margin - positive + negative, 0 * positive)
    return torch.stack(losses)


def soft_label(image, text, people, temperature, soft=None, share=0.5):
    total = 0
    for direction, (rows, columns) in enumerate(((image, text), (text, image))):
        for i, row in enumerate(matrix(rows, columns)):
            same = [j for j, person in enumerate(people) if person == people[i]]
            for j, p in enumerate(softmax(row / temperature)):
                target = (j in same) / len(same)
                if soft is not None:
                    target = share * soft[direction][i][j] + (1 - share) * target
                total = total - target * p.log() / len(rows) / 2
    return total


def reverse(image, text, people, temperature, epsilon=1e-2):
    total = 0
    for rows, columns in ((image, text), (text, image)):
        for i, row in enumerate(matrix(rows, columns)):
            same = [j for j, person in enumerate(people) if person == people[i]]
            for j, p in enumerate(softmax(row / temperature)):
                total = total + p * (
                    p.log() - math.log((j in same) / len(same) + epsilon)) / len(rows) / 2
    return total


def cyclic(image, text):
    total, count = 0, len(image)
    for i in range(count):
        for j in range(count):
            within = cosine(image[i], image[j]) - cosine(text[i], text[j])
            across = cosine(image[i], text[j]) - cosine(text[i], image[j])
            total = total + (within**2 + across**2) / 4 / count**2
    return total


def simclr(first, second, temperature=0.1):
    total, count = 0, len(first)
    for views, others in ((first, second), (second, first)):
        for i in range(count):
            scores = [cosine(views[i], others[j]) for j in range(count)]
            scores += [cosine(views[i], views[j]) for j in range(count) if j != i]
            total = total - softmax(torch.stack(scores) / temperature)[i].log() / count / 2
    return total


def hardest_triplet(image, text, people, margin=0.05):
    total = 0
    for rows, columns in ((image, text), (text, image)):
        for i, row in enumerate(matrix(rows, columns)):
            others = [row[j] for j in range(len(people)) if people[j] != people[i]]
            if others:
                hinge = max(others, key=lambda score: score.item()) - row[i] + margin
                total = total + max(hinge, 0 * hinge) / len(people)
    return total


def sigmoid(image, text, scale, bias, people=None, same_person='negative'):
    total = 0
    for i in range(len(image)):
        for j in range(len(image)):
            same = i != j and people is not None and people[i] == people[j]
            if same and same_person == 'masked':
                continue
            sign = 1 if i == j or (same and same_person == 'positive') else -1
            logit = sign * (scale * cosine(image[i], text[j]) + bias)
            total = total + (1 + (-logit).exp()).log() / len(image)
    return total


def transport(ours, others, our_quota, quota, epsilon, rounds=200):
    """The cost of the plan, in the logarithmic domain."""
    cost = 1 - matrix(ours, others)
    f, g = torch.zeros(len(ours), dtype=cost.dtype), torch.zeros(len(others), dtype=cost.dtype)
    for _ in range(rounds):
        f = epsilon * (our_quota.log() - ((g[None] - cost) / epsilon).logsumexp(1))
        g = epsilon * (quota.log() - ((f[:, None] - cost) / epsilon).logsumexp(0))
    return (((f[:, None] + g[None] - cost) / epsilon).exp() * cost).sum()


def quota(ours, readers):
    shares, agreement = [], []
    for reader in readers:
        scores = torch.stack([cosine(reader, token) for token in ours])
        alpha = torch.stack(softmax(torch.where(scores > 0, scores, 0.01 * scores)))
        shares.append(alpha)
        agreement.append(cosine(reader, sum(a * token / token.norm()
                                            for a, token in zip(alpha, ours, strict=True))))
    return sum(w * alpha for w, alpha in zip(softmax(torch.stack(agreement)), shares, strict=True))


def qc_align(patches, words, counts, epsilon=0.5):
    total = 0
    for v, t, count in zip(patches, words, counts, strict=True):
        t = t[:count]
        mu, nu = quota(v, t), quota(t, v)
        total = total + (transport(v, t, mu, nu, epsilon) - transport(v, v, mu, mu, epsilon) / 2
                         - transport(t, t, nu, nu, epsilon) / 2) / len(patches)
    return total
