"""What things cost: training, molecular dynamics, analysis, and exactness beside speed."""
